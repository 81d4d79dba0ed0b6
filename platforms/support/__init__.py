"""Tools that a build runs and how their work is shown: yosys, compilers, progress, text options and
output, digests of designs. Imports gateware and model only. Read first: tools.py, yosys.py,
progress.py.
"""
