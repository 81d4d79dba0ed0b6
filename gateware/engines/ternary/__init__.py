"""The ternary engine: rows × cols weights per cycle, without a multiplier, and the formats in which
weights lie in its memory. Read first: engine.py, lane.py, packing.py.
"""
