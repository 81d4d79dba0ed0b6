"""What a processor sees of a core: registers declared once, their bank, AXI4-Lite, FIFOs,
identification. Imports core and below. Read first: registers.py, register_bank.py,
host_interface.py.
"""
