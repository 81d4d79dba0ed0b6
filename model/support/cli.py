"""What every command-line entry point does around its main function."""

from __future__ import annotations

import argparse
import contextlib
import errno
import functools
import gc
import math
import os
import signal
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from . import interrupt, standard_streams
from .errors import NO_ROOM, ToolError, UserError, write_error
from .interrupt import INTERRUPTED, INTERRUPTED_STATUS
from .printable import printable

COMMAND_MODULE = "gateformer.platforms.command_line"
"""What ``python -m`` runs as the command ``gateformer``, for commands that start another."""
REQUIRED = {"required": True, "default": argparse.SUPPRESS}
"""Of an option that must be given: its help shows no default."""
PATHS = ("FILE", "DIR", "DIRECTORY", "PATH")
"""How options of files and directories show what follows them."""
TOOL_ERROR_STATUS = 1
USER_ERROR_STATUS = 2
READER_LEFT_STATUS = 141
"""128 + SIGPIPE, likewise."""
OF_OUTPUT = "\n\t"
"""Characters of a tool's output that are shown as they are."""
TERMINATED_STATUS = 143
"""128 + SIGTERM."""
DISK_ERRORS = (*NO_ROOM, errno.EIO, errno.EROFS)
"""Of a write that no program can make good."""
FIRST_FAILS_WITHIN = 30.0
"""Seconds in which the first process of torchrun meets an error that all of them meet."""

GARBAGE_THRESHOLDS = (50_000, 10, 10)
"""New objects until Python looks for garbage among them, and how often until it looks further. A
design has millions, nearly all in use: with its own 700 Python looks for a quarter of the time."""

KINDS = {int: "an integer", float: "a number"}
"""Types of options that are numbers, and what a message calls them."""


@functools.lru_cache(maxsize=None, typed=True)  # equal types are one
def within(kind: type, least: float, most: float = math.inf) -> Callable[[str], float]:
    """Type of an option: an int or a float from ``least`` to ``most``, or without an end."""
    bounds = f"of at least {least:,}" if most == math.inf else f"from {least:,} to {most:,}"
    expected = f"must be {KINDS[kind]} {bounds.replace(',', '')}"

    def number(text: str) -> float:
        try:
            value = kind(text)
            if not least <= value <= most:  # which no nan is
                raise ValueError
        except ValueError:
            raise argparse.ArgumentTypeError(f"{expected}, not {text or repr(text)}") from None
        return value

    return number


def number_or(word: str, number: Callable[[str], float]) -> Callable[[str], float | str]:
    """Type of an option: a ``word``, or what the type ``number`` takes."""

    def value(text: str) -> float | str:
        try:
            return text if text == word else number(text)
        except argparse.ArgumentTypeError as error:
            expected, separator, given = str(error).rpartition(", not ")
            raise argparse.ArgumentTypeError(f"{expected} or {word}{separator}{given}") from None

    return value


class HelpFormatter(argparse.ArgumentDefaultsHelpFormatter):
    """Shows the defaults that are values, but no None or empty list of what may be left out.

    A text that has the word says it in its own way.
    """

    def _get_help_string(self, action: argparse.Action) -> str:
        if action.default is None or action.default is False or action.default == []:
            return action.help
        if "default" in (action.help or ""):
            return action.help
        return super()._get_help_string(action)


class ArgumentParser(argparse.ArgumentParser):
    """Parser whose complaints are UserErrors: one line, without the usage. Its help shows defaults.

    A description may be a module's docstring: its marks of literals are not shown.
    """

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **{"formatter_class": HelpFormatter, **options})
        self.description = self.description and self.description.replace("``", "")

    def _get_value(self, action: argparse.Action, arg_string: str):
        # an empty path would be the present directory, which a complaint would then name
        if not arg_string and (action.type is Path or action.metavar in PATHS):
            raise argparse.ArgumentError(action, "expected a path, not an empty text")
        try:
            return super()._get_value(action, arg_string)
        except argparse.ArgumentError:
            if action.type not in KINDS:  # it says what it expects
                raise
            said = f"must be {KINDS[action.type]}, not {arg_string}"
            raise argparse.ArgumentError(action, said) from None

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}; see --help")


def process_count() -> int:
    """How many processes torchrun has started with this one; 1 without it."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def _say(line: str) -> None:
    """On stderr."""
    with contextlib.suppress(UserError, OSError):  # where both go to one file: in order
        standard_streams.flush()
    print(line, file=sys.stderr)


def _say_once(line: str) -> None:
    """On stderr, unless the first process of torchrun says the same.

    torchrun ends all processes as soon as one has failed. So another than the first one waits to be
    ended (SIGTERM); an error that the first one does not meet it says after all.
    """
    if not interrupt.says_so():
        time.sleep(FIRST_FAILS_WITHIN)
    _say(line)


def run(main: Callable[[], int | None], *, together: bool = False) -> NoReturn:
    """Call ``main()`` and exit with the status that it returns (None: 0).

    ``together``: several processes of torchrun may do it, and an error of all is said once.

    A UserError becomes one line ``error: …`` on stderr and status 2, and so does a disk that is
    full or fails; a ToolError ``error: …`` with the end of the tool's output and status 1, Ctrl-C
    status 130; any other exception is a bug and keeps its traceback. SIGTERM ends it in the same
    orderly way as Ctrl-C, with status 143. What is printed reaches standard output, or it is an
    error (:mod:`model.support.standard_streams`).
    """
    signal.signal(signal.SIGTERM, _terminate)
    interrupt.raise_interrupts()
    standard_streams.prepare()
    gc.set_threshold(*GARBAGE_THRESHOLDS)
    status = _status(main, together)
    interrupt.ignore_interrupts()
    gc.freeze()  # at the end, Python would look for garbage in all of a large design: seconds
    sys.exit(status)


def _status(main: Callable[[], int | None], together: bool) -> int:
    try:
        if process_count() > 1 and not together:
            raise UserError("this is done by one process; start it without torchrun")
        try:
            status = main() or 0
        except SystemExit as leaving:  # after --help, or by SIGTERM
            status = leaving.code
        standard_streams.flush()
        return status
    except KeyboardInterrupt:
        pass  # as below
    except BrokenPipeError:
        if not standard_streams.reader_left():
            raise
        return READER_LEFT_STATUS
    except Exception as error:
        # one that an interrupt has become on its way is no error
        if not interrupt.happened():
            return _error_status(error)
    interrupt.ignore_interrupts()  # one more would be no other
    warnings.simplefilter("ignore")  # of what was not used to its end
    if interrupt.says_so():
        _say(INTERRUPTED)
    return INTERRUPTED_STATUS


def _error_status(error: Exception) -> int:
    """Say in one line what went wrong; the status. Raises it again if it is a bug."""
    if isinstance(error, UserError | ToolError):
        tool = isinstance(error, ToolError)
        _say_once(f"error: {printable(str(error), OF_OUTPUT if tool else '')}")
        return TOOL_ERROR_STATUS if tool else USER_ERROR_STATUS
    if isinstance(error, MemoryError):
        _say_once(f"error: not enough memory: {error or 'choose something smaller'}")
        return USER_ERROR_STATUS
    if isinstance(error, OSError) and error.errno in DISK_ERRORS:
        what = f"write {error.filename}" if error.filename else "write"
        _say_once(f"error: {write_error(what, error)}")
        return USER_ERROR_STATUS
    raise error


def _terminate(*_) -> NoReturn:
    sys.exit(TERMINATED_STATUS)
