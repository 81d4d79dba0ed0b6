"""Smaller float models, measured: pruning, removal of heads and units, quantization after and in
training. Imports training and below. Read first: compress.py, options.py, methods.py, session.py.
"""
