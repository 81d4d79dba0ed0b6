"""Numbers that a message can name, and how large those are that a float holds."""

from __future__ import annotations

from .errors import UserError

FLOAT32_EXACT = 2**24
"""float32 holds every integer up to this."""


def check_integer(name: str, value, low: int, high: int) -> None:
    """UserError if ``value`` is no integer in low..high."""
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise UserError(f"{name} must be an integer in {low}..{high}, not {value!r}")
