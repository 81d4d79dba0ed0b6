"""What a core will be, without any hardware: its sizes, where every element lies, its instructions,
the widths that are proven. Imports parts (numbers only) and the contract. Read first: hw_config.py,
layout.py, instruction.py, bounds.py.
"""
