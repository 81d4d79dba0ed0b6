"""FPGA families: what their units are, their clocks, and the facts of a vendor's tools. Imports
support. Read first: family.py, xc7.py, clock.py.
"""
