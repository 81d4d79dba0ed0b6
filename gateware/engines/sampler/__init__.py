"""The sampler: logits to the next token, greedy, by temperature and top-k, with its random numbers;
for contract version 2 also by top-p. Read first: sampler.py, scheme.py, keys.py, draw.py.
"""
