"""Reading CXXRTL's C++ expressions: what their parsers have in common."""

from __future__ import annotations

import re


class NotUnderstood(Exception):
    """The text is not of the form that a parser knows."""


class CxxTokens:
    """A position in a text; ``text`` is read from left to right."""

    def __init__(self, text: str):
        self.text = text
        self.at = 0

    def take(self, pattern: re.Pattern) -> re.Match | None:
        """Step over what matches here, if anything does."""
        match = pattern.match(self.text, self.at)
        if match:
            self.at = match.end()
        return match

    def accept(self, literal: str) -> bool:
        """Step over ``literal`` if it stands here; whether it does."""
        found = self.text.startswith(literal, self.at)
        self.at += len(literal) * found
        return found

    def expect(self, literal: str) -> None:
        """Step over ``literal``. Raises NotUnderstood if it does not stand here."""
        if not self.accept(literal):
            raise NotUnderstood
