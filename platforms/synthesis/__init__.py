"""Netlists: made by yosys, counted, simulated with cell models, their memories read back, their
paths measured. Imports simulation and below. Read first: synthesis.py, netlist.py,
check_netlist.py.
"""
