"""A float decoder becomes the integers of contract version 2: calibration on text, weight formats,
and how well the result agrees with the float model. Imports evaluation and below. Read first:
quantizing.py, scales.py, calibration.py.
"""
