"""The integer function in C for this machine's processor, equal to the reference: the software to
beat. Imports contract and support. Read first: stream.py, pack.py, stream.c; for
imported models decoder_stream.py, packed_decoder.py, decoder.c, decoder_rows.h.
"""
