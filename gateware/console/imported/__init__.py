"""The console of an imported model: pieces of bytes as tokens, stop tokens, what comes before every
prompt. Imports what the console of trained models has. Read first: pieces.py, piece_console.py.
"""
