"""How much logic lies between two registers of a mapped netlist: the check of timing that needs no
place and route. Read first: depth.py, analysis.py, graph.py.
"""
