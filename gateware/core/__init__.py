"""The core: a token stream in, a token stream out; issue unit, sequencer, loader, and the taps at
which it is compared with the reference. Imports compiler and below. Read first: core.py,
sequencer.py, issue.py.
"""
