"""The engines that a program drives, each of constant latency: ternary, array, softmax, vector,
sampler. Imports plan and parts. Read first: ternary/engine.py, array/int8_array.py, vector/unit.py.
"""
