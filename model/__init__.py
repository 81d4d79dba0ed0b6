"""The model, from training to the integers that hardware gets: contract, floats, training,
compression, exports, software to compare with. Imports nothing of the other wings. Rooms stand in
the order of tests/test_rooms.py, each importing from itself and from those before it. Read first:
contract/arith.py, contract/reference.py, contract/artifact.py.
"""
