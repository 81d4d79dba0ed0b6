"""The Linux side of a board with a processor: driver, registers, runs, another model at run time,
a model's image in external memory. Works without Amaranth and torch. Imports families (addresses)
and gateware's registers. Read first: driver.py, register_access.py, run.py.
"""
