"""The vector unit: residual stream, RMSNorm, requantization, rows elements per cycle. Read first:
unit.py, lane.py, scaling.py, rms_norm.py.
"""
