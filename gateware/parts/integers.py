"""Integers: the checks of parameters, and division without floats."""

from __future__ import annotations


def check_integer(name: str, value: int, low: int, high: int) -> None:
    """Raise TypeError or ValueError unless ``value`` is an integer from ``low`` to ``high``."""
    _check_kind(name, value)
    if not low <= value <= high:
        raise ValueError(f"{name} must be {low} to {high}, not {value}")


def check_least(name: str, value: int, least: int) -> None:
    """Raise TypeError or ValueError unless ``value`` is an integer of at least ``least``."""
    _check_kind(name, value)
    if value < least:
        raise ValueError(f"{name} must be at least {least}, not {value!r}")


def _check_kind(name: str, value: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name} must be an integer, not {value!r}")


def ceil_div(a: int, b: int) -> int:
    """a / b, rounded up."""
    return -(-a // b)
