"""The INT8 array: embeddings, K and V in block memory, one word of lanes per cycle through
multipliers and an adder tree. Read first: int8_array.py, dot_tree.py; with two products per
multiplier: pair_array.py, links.py, packed_sums.py.
"""
