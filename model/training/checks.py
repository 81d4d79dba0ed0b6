"""Limits of what a training may be asked for, in one line each."""

from __future__ import annotations

import math

from ..support.errors import UserError

MAX_RATE = 1.0
"""Of Adam, whose steps are about as large as the rate: beyond, no weight survives one."""
MAX_SEED = 2**63 - 1
MAX_THREADS = 256


def check_rate(name: str, rate: float) -> None:
    """UserError unless the learning rate ``name`` is positive and at most MAX_RATE."""
    if not (math.isfinite(rate) and rate > 0):
        raise UserError(f"{name} must be a positive number, not {rate:g}")
    if rate > MAX_RATE:
        raise UserError(f"{name} must be at most {MAX_RATE:g}, not {rate:g}")


def check_seed(seed: int) -> None:
    """UserError unless it is 0 to MAX_SEED."""
    if not 0 <= seed <= MAX_SEED:
        raise UserError(f"seed must be 0 to {MAX_SEED}, not {seed}")


def check_threads(threads: int) -> None:
    """UserError unless they are 1 to MAX_THREADS."""
    if not 1 <= threads <= MAX_THREADS:
        raise UserError(f"threads must be 1 to {MAX_THREADS}, not {threads}")
