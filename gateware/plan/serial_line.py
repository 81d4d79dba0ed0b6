"""Bit rates of a text console's serial line, for its terminal too: that has no Amaranth."""

DEFAULT_BAUD = 115_200
MIN_BAUD = 300
"""Slowest rate of a console; a line of its help takes seconds."""
MAX_BAUD = 100_000_000
"""Beyond every serial port."""
