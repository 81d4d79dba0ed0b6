"""Line editing of the console: lines of earlier sessions, and Tab for the commands."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from gateformer.model.support.cache import cache_directory, exclusive
from gateformer.model.support.errors import UserError
from gateformer.model.support.whole_file import write_whole

try:
    import readline
except ImportError:  # Not on Windows, whose terminal edits lines by itself.
    readline = None

HISTORY_FILE = "console_history"
HISTORY_LINES = 1000
LIBEDIT = "libedit"
"""Stands in the module's description where it is made of libedit, as on macOS."""


@contextlib.contextmanager
def line_editing(commands: Sequence[str]) -> Iterator[None]:
    """While entered, ``input()`` edits lines and knows those of earlier sessions.

    The lines entered meanwhile are kept for later ones, the last :data:`HISTORY_LINES` of all; Tab
    completes ``commands``. Without a directory that can be written, nothing is kept.

    The file has one line of UTF-8 each. It is read and written here: GNU readline and libedit have
    formats of their own, libedit cannot append, and its truncation spoils its file
    (https://github.com/python/cpython/issues/121160).
    """
    if readline is None:
        yield
        return
    path = _history_path()
    for line in _kept(path):
        readline.add_history(line)
    known = readline.get_current_history_length()
    _complete_with_tab(commands)
    try:
        yield
    finally:
        count = readline.get_current_history_length()
        entered = [readline.get_history_item(number) for number in range(known + 1, count + 1)]
        _keep(path, [line for line in entered if line])


def _history_path() -> Path | None:
    # RuntimeError: there is no home directory
    with contextlib.suppress(OSError, RuntimeError):
        return cache_directory() / HISTORY_FILE
    return None


def _kept(path: Path | None) -> list[str]:
    """The lines of the file that can be shown; none if it can't be read."""
    if path is None:
        return []
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        return []
    return [line for line in lines if line and "\0" not in line]


def _keep(path: Path | None, entered: list[str]) -> None:
    """Add lines to the file, behind those that another console has added meanwhile."""
    if path is None or not entered:
        return
    # what was typed as no UTF-8 is a surrogate, which cannot be written
    entered = [line.encode("utf-8", "replace").decode() for line in entered]
    with contextlib.suppress(OSError, UserError), exclusive(path):
        lines = [*_kept(path), *entered][-HISTORY_LINES:]
        write_whole(path, "".join(f"{line}\n" for line in lines))


def _complete_with_tab(commands: Sequence[str]) -> None:
    def complete(text: str, state: int) -> str | None:
        fitting = [command for command in commands if text and command.startswith(text)]
        return fitting[state] if state < len(fitting) else None

    readline.set_completer_delims("")
    readline.set_completer(complete)
    from_libedit = LIBEDIT in (readline.__doc__ or "")
    readline.parse_and_bind("bind ^I rl_complete" if from_libedit else "tab: complete")
