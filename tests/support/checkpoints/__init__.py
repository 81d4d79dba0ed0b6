"""Checkpoints of random models, written as their own programs write them."""
