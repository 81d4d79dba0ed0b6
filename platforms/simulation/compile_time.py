"""How long a simulation takes to compile, said before it does."""

from __future__ import annotations

import math

MEGABYTE_SECONDS, LOGARITHM_SECONDS = 15.8, 11.1
"""Of one core, for a design of 1 MB of RTLIL, contents of memories included, and more for e times
as much: what fits these, which were measured:

====== ====== ==========================================
MB     s      model
====== ====== ==========================================
1.95   20.7   one layer of 16
3.83   30.8   ``shakespeare-115k``
1.88   25.6   imported: one layer of 48
6.19   40.7   imported: 5 layers of 64, 260,000 weights
29.65  50.6   imported: 6 layers of 192, 2,800,000 weights
====== ====== ==========================================
"""
STEP = 10
"""Seconds that are told apart."""


def compile_seconds(megabytes: float) -> float:
    """Processor time that compiling a design takes, by the size of its RTLIL."""
    return MEGABYTE_SECONDS + LOGARITHM_SECONDS * math.log(max(megabytes, 1))


def compile_time(design: str) -> str:
    """The same of a design for people: ``30 s of one core``."""
    return f"{round(compile_seconds(len(design) / 1e6) / STEP) * STEP} s of one core"
