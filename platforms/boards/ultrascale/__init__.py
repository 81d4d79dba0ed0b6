"""Boards with a Zynq UltraScale+: their top level and processing system. Read first: top.py and
ps8.py.
"""
