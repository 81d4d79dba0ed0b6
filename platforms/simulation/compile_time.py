"""How long a simulation takes to compile, said before it does."""

from __future__ import annotations

FIXED_SECONDS, SECONDS_PER_MEGABYTE = 13, 4.7
"""Of one core, by the size of the design as RTLIL, contents of memories included. Measured: 20.7 s
for 1.95 MB (one layer of 16), 30.8 s for 3.83 MB (``shakespeare-115k``); of imported models 25.6 s
for 1.88 MB (one layer of 48), 40.7 s for 6.19 MB (5 layers of 64 with 260,000 weights)."""
STEP, MINUTES_FROM = 10, 120
"""Seconds that are told apart, and from how many on minutes are."""


def compile_seconds(design: str) -> float:
    """Processor time that compiling a design, RTLIL, takes."""
    return FIXED_SECONDS + SECONDS_PER_MEGABYTE * len(design) / 1e6


def compile_time(design: str) -> str:
    """The same for people: ``30 s of one core``, ``4 minutes of one core``."""
    seconds = round(compile_seconds(design) / STEP) * STEP
    if seconds < MINUTES_FROM:
        return f"{seconds} s of one core"
    return f"{round(seconds / 60)} minutes of one core"
