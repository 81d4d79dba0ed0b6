"""Parts of hardware that know nothing of models: delays, FIFOs, memories, multipliers and a
vendor's block of them, saturation, state machines, the UART. Imports nothing else of ours but the
contract and errors. Read first: delay.py, multiplier.py, group_memory.py.
"""
