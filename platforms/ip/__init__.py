"""The core as an IP for somebody's own design: Verilog with AXI4-Lite ports, FuseSoC, Vivado.
Imports synthesis, boards and below. Read first: export.py, verilog.py, readme.py.
"""
