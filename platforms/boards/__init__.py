"""Boards and their top levels, one file a board; board.py lists them. Imports families and support.
Read first: board.py, target.py, zynq_top.py, console_top.py.
"""
