"""What every command-line entry point does around its main function."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable
from typing import NoReturn

from .errors import ToolError, UserError

REQUIRED = {"required": True, "default": argparse.SUPPRESS}
"""Of an option that must be given, in a parser whose help shows defaults: this one has none."""
TOOL_ERROR_STATUS = 1
USER_ERROR_STATUS = 2
INTERRUPTED_STATUS = 130
"""128 + SIGINT, as a shell reports it."""
TERMINATED_STATUS = 143
"""128 + SIGTERM."""


class HelpFormatter(argparse.ArgumentDefaultsHelpFormatter):
    """Shows the defaults that are values, but no None of options that may be left out."""

    def _get_help_string(self, action: argparse.Action) -> str:
        if action.default is None or action.default is False:
            return action.help
        return super()._get_help_string(action)


class ArgumentParser(argparse.ArgumentParser):
    """Parser whose complaints are UserErrors: one line, without the usage."""

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}; see --help")


def process_count() -> int:
    """How many processes torchrun has started with this one; 1 without it."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def _say(line: str) -> None:
    """On stderr, unless another process of torchrun says the same."""
    if os.environ.get("RANK", "0") == "0":
        print(line, file=sys.stderr)


def run(main: Callable[[], int | None], *, together: bool = False) -> NoReturn:
    """Call ``main()`` and exit with the status that it returns (None: 0).

    ``together``: several processes of torchrun may do it, and only the first one speaks.

    A UserError becomes one line ``error: …`` on stderr and status 2, a ToolError ``error: …`` with
    the end of the tool's output and status 1, Ctrl-C status 130; any other exception is a bug and
    keeps its traceback. SIGTERM ends it in the same orderly way as Ctrl-C, with status 143.
    """
    signal.signal(signal.SIGTERM, _terminate)
    try:
        if process_count() > 1 and not together:
            raise UserError("this is done by one process; start it without torchrun")
        status = main() or 0
    except UserError as error:
        _say(f"error: {error}")
        status = USER_ERROR_STATUS
    except ToolError as error:
        _say(f"error: {error}")
        status = TOOL_ERROR_STATUS
    except KeyboardInterrupt:
        _say("interrupted")
        status = INTERRUPTED_STATUS
    except MemoryError as error:
        _say(f"error: not enough memory: {error or 'choose something smaller'}")
        status = USER_ERROR_STATUS
    sys.exit(status)


def _terminate(*_) -> NoReturn:
    sys.exit(TERMINATED_STATUS)
