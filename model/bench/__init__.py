"""Speed of one model on several platforms, side by side. Imports exports, native and below; cycles
of hardware come from another process, not from an import. Read first: bench.py, rows.py,
measure.py.
"""
