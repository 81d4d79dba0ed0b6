"""Facts from files: JSON whose entries are of their kind, its numbers finite and in range.

Every JSON object that a file holds is read by :class:`Facts`. What is not as expected is one
UserError that names the file, the entry, its value and what was expected.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path

from .errors import UserError

LARGEST = 2**63 - 1
"""Of an integer without a limit of its own."""
_NO_DEFAULT = object()


def parse_json(text: str | bytes):
    """The content of a JSON text; ValueError if it is none, or has a number that is not finite."""
    content = json.loads(text)
    place = _not_finite(content, "")
    if place is not None:
        raise ValueError(f"{place[0] or 'it'} must be a finite number, not {place[1]!r}")
    return content


def _not_finite(content, path: str) -> tuple[str, float] | None:
    """(path, number) of the first number that is not finite."""
    if isinstance(content, float) and not math.isfinite(content):
        return path, content
    entries = ()
    if isinstance(content, dict):
        entries = ((f"{path}.{name}" if path else name, item) for name, item in content.items())
    elif isinstance(content, list):
        entries = ((f"{path}[{i}]", item) for i, item in enumerate(content))
    return next(filter(None, (_not_finite(item, where) for where, item in entries)), None)


class Facts:
    """A JSON object of a file.

    Parameters
    ----------
    where : str, begins every message: the file
    content : what JSON gave
    path : str, of the object within the file's, with a point at its end; empty for that itself

    Raises UserError if it is no object.
    """

    def __init__(self, where: str | Path, content, path: str = ""):
        self.where, self.path = where, path
        if not isinstance(content, Mapping):
            what = path.rstrip(".") or "the content"
            raise UserError(f"{where}: {what} must be a JSON object, not {_shown(content)}")
        self.content = content

    @classmethod
    def parse(cls, where: str | Path, text: str | bytes) -> Facts:
        """From a JSON text; UserError if it is none, no object, or a number in it is not finite."""
        try:
            content = parse_json(text)
        except (ValueError, RecursionError) as error:
            raise UserError(f"{where}: {_one_line(error)}") from None
        return cls(where, content)

    def integer(self, name: str, low: int, high: int = LARGEST, default=_NO_DEFAULT) -> int:
        """An integer in low..high; ``default`` if it is missing or null and there is one."""
        value = self._value(name, default)
        if value is default:
            return value
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            limits = f"of at least {low}" if high == LARGEST else f"in {low}..{high}"
            raise self.refused(name, f"an integer {limits}", value)
        return value

    def number(self, name: str, *, positive: bool = False, default=_NO_DEFAULT) -> float:
        """A finite number, as a float; ``positive``: above 0."""
        value = self._value(name, default)
        if value is default:
            return value
        try:
            wrong = isinstance(value, bool) or not isinstance(value, int | float)
            wrong = wrong or not math.isfinite(value) or (positive and value <= 0)
        except OverflowError:  # an integer beyond all floats
            wrong = True
        if wrong:
            raise self.refused(name, "a positive number" if positive else "a finite number", value)
        return float(value)

    def text(self, name: str, default=_NO_DEFAULT) -> str:
        """A string."""
        value = self._value(name, default)
        if value is not default and not isinstance(value, str):
            raise self.refused(name, "a text", value)
        return value

    def flag(self, name: str, default=_NO_DEFAULT) -> bool:
        """True or false."""
        value = self._value(name, default)
        if not isinstance(value, bool):
            raise self.refused(name, "true or false", value)
        return value

    def table(self, name: str, default=_NO_DEFAULT) -> Facts:
        """An object within this one."""
        value = self._value(name, default)
        return value if value is default else Facts(self.where, value, f"{self.path}{name}.")

    def items(self, name: str) -> Facts:
        """A list as an object: its entries are called ``[0]``, ``[1]``, …"""
        value = self._value(name, _NO_DEFAULT)
        if not isinstance(value, list):
            raise self.refused(name, "a list", value)
        entries = {f"[{i}]": item for i, item in enumerate(value)}
        return Facts(self.where, entries, f"{self.path}{name}")

    def refused(self, name: str, expected: str, value) -> UserError:
        """That the entry ``name`` is not what was expected."""
        return UserError(f"{self.where}: {self.path}{name} must be {expected}, not {_shown(value)}")

    def __iter__(self):
        return iter(self.content)

    def __len__(self) -> int:
        return len(self.content)

    def _value(self, name: str, default):
        value = self.content.get(name)
        if value is None and default is not _NO_DEFAULT:
            return default
        if name not in self.content:
            raise UserError(
                f"{self.where}: {self.path}{name} is missing; add it, or get the "
                "file from its source again"
            )
        return value


def read_json(path: Path) -> Facts:
    """A JSON object from a file; UserError if it is none."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None
    return Facts.parse(path, content)


def _shown(value) -> str:
    """The value on one line, cut if it is long."""
    try:
        text = repr(value)
    except ValueError:  # more digits than Python converts
        return "an integer of thousands of digits"
    return text if len(text) <= 60 else f"{text[:57]}…"


def _one_line(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "its JSON is nested too deep"
    text = str(error).splitlines()[0]
    return (
        text
        if "must be a finite number" in text
        else f"it is no JSON: {text}; get it again, or mend it"
    )
