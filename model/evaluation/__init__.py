"""How good a model is: losses of integers and floats on a text, and how often two models agree.
Imports floating and below. Read first: evaluate.py, agreement.py.
"""
