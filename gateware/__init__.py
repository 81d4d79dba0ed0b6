"""The accelerator: engines, the compiler of the program that drives them, the core, its registers
and its console, all in Amaranth HDL. Imports the model's contract, never torch and no vendor. Rooms
stand in the order of tests/test_rooms.py. Read first: compiler/program.py, core/core.py,
engines/ternary/engine.py.
"""
