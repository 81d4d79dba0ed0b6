"""Texts: characters to tokens and back, and corpora with their validation split. Imports only
support. Read first: tokenizer.py, corpus.py, codec.py.
"""
