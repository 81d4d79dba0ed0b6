"""Standard output and error of a command: nothing that is printed is lost unnoticed.

A character that the terminal's encoding lacks is replaced, and an output that cannot be written
(a full disk behind ``>``) is a UserError. What cannot be said on standard error is left out.
"""

from __future__ import annotations

import codecs
import io
import os
import sys

from .errors import write_error

REPLACE = "gateformer.replace"
SUBSTITUTES = {"✓": "+", "✗": "-", "–": "-", "×": "x", "…": "...", "→": "->", "█": "#"}
"""Of characters that the program writes by itself; all others become a question mark."""


class _Stream(io.TextIOWrapper):
    """A standard stream whose failure is noticed once; then it leads nowhere."""

    reader_left = False

    def write(self, text: str) -> int:
        return self._checked(super().write, text)

    def flush(self) -> None:
        self._checked(super().flush)

    def _checked(self, call, *arguments):
        try:
            return call(*arguments)
        except OSError as error:
            # what is still in the buffer would fail again when the interpreter ends
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.fileno())
            self._failed(error)
            return len(arguments[0]) if arguments else None

    def _failed(self, error: OSError) -> None:
        self.reader_left = isinstance(error, BrokenPipeError)
        if self.reader_left:
            raise error
        raise write_error("write to the standard output", error)


class _ErrorStream(_Stream):
    def _failed(self, error: OSError) -> None:
        """There is no other place to say it."""


def prepare() -> None:
    """Make :data:`sys.stdout` and :data:`sys.stderr` as this module says.

    One that was closed leads nowhere, so that no file gets its number; one that is not the
    interpreter's own (a test's) is left as it is.
    """
    codecs.register_error(REPLACE, _substitute)
    for name, kind in (("stdout", _Stream), ("stderr", _ErrorStream)):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        elif type(stream) is io.TextIOWrapper and stream is getattr(sys, f"__{name}__"):
            facts = {"encoding": stream.encoding, "line_buffering": stream.line_buffering}
            made = kind(stream.detach(), errors=REPLACE, **facts)
            setattr(sys, name, made)
            setattr(sys, f"__{name}__", made)  # faulthandler and others look there


def flush() -> None:
    """What was printed is out; UserError or BrokenPipeError if it cannot be."""
    sys.stdout.flush()


def reader_left() -> bool:
    """Whether a BrokenPipeError is due to whoever read standard output, as ``head`` does."""
    return getattr(sys.stdout, "reader_left", False)


def _substitute(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    return "".join(SUBSTITUTES.get(char, "?") for char in text), error.end
