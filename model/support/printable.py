"""What of a text may be shown: names come from files that others made."""

from __future__ import annotations

import unicodedata

HIDDEN = ("Cc", "Cf", "Zl", "Zp")
"""General categories of Unicode: controls, formats, ends of lines and paragraphs."""


def printable(text: str, keep: str = "") -> str:
    """The text with ``?`` for every character that moves the cursor, sets colours, ends the line
    or turns the direction of writing, but for those of ``keep``."""
    return "".join("?" if unicodedata.category(c) in HIDDEN and c not in keep else c for c in text)
