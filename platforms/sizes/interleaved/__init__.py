"""Cores of several streams, and several cores: what they take beyond one, and how many to build."""
