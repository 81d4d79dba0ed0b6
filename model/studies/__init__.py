"""Tables of what choices of training are worth, one command a row. Imports compression and
training. Read first: quantization_gap.py, activation_gap.py.
"""
