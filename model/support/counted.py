"""A number of things in words: thousands with a comma, one of them without the plural's s."""

from __future__ import annotations


def counted(number: int, what: str) -> str:
    """``1 port``, ``2 ports``, ``1,234 tokens``; ``what`` is one of them."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"
