"""Streamed cores: their sizes, what they are predicted to take, and the search among them."""
