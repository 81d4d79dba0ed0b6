"""The integer function in C for this machine's processor, equal to the reference: the software to
beat. Imports contract and support. Read first: stream.py, pack.py, stream.c.
"""
