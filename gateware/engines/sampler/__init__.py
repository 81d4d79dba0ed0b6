"""The sampler: logits to the next token, greedy, by temperature and top-k, with its random numbers.
Read first: sampler.py, keys.py, draw.py.
"""
