"""The integer contract (docs/number_contract.md) and what states it: arithmetic, shapes, sampling,
the integers of a model, the reference in numpy, and the file that carries them to hardware. Imports
only support; arith imports nothing of ours. Read first: arith.py, reference.py, artifact.py.
"""
