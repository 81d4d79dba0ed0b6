"""Limits of what a training may be asked for, in one line each."""

from __future__ import annotations

import math
from collections.abc import Mapping

from ..support.errors import UserError

MAX_RATE = 1.0
"""Of Adam, whose steps are about as large as the rate: beyond, no weight survives one."""
MAX_SEED = 2**63 - 1
MAX_COUNT = 10**9
"""Of steps, windows and the like: years."""


def check_rate(name: str, rate: float) -> None:
    """UserError unless the learning rate ``name`` is positive and at most MAX_RATE."""
    if not (math.isfinite(rate) and rate > 0):
        raise UserError(f"{name} must be a positive number, not {rate:g}")
    if rate > MAX_RATE:
        raise UserError(f"{name} must be at most {MAX_RATE:g}, not {rate:g}")


def check_count(name: str, count: int, least: int) -> None:
    """UserError unless ``count`` of what is called ``name`` is ``least`` to MAX_COUNT."""
    if count < least:
        raise UserError(f"{name} must be at least {least}, not {count}")
    if count > MAX_COUNT:
        raise UserError(f"{name} must be at most {MAX_COUNT}, not {count}")


def check_tuning(settings: Mapping[str, object]) -> None:
    """UserError naming the first of a training's numbers that is out of range; None is not given.

    Those of ``steps``, ``batch``, ``seed`` and ``lr`` that are there.
    """
    for name, least in (("steps", 0), ("batch", 1)):
        if settings.get(name) is not None:
            check_count(name, settings[name], least)
    if settings.get("seed") is not None:
        check_seed(settings["seed"])
    if settings.get("lr") is not None:
        check_rate("lr", settings["lr"])


def check_seed(seed: int) -> None:
    """UserError unless it is 0 to MAX_SEED."""
    if not 0 <= seed <= MAX_SEED:
        raise UserError(f"seed must be 0 to {MAX_SEED}, not {seed}")
