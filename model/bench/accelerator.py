"""The accelerator's rows of ``gateformer bench``: exact cycles × clock, not run on a board.

Cycles come from the program of the gateware, which ``model`` does not import: they are what
``gateformer cycles`` prints.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence

import numpy as np

from ..support.cli import COMMAND_MODULE
from ..support.errors import UserError
from .measure import Measurement
from .rows import INTEGER, of_streams

ACCELERATOR = "accelerator"
"""Key of the rows; of a single one a hyphen and its board follow, then its count of streams."""
COMMAND = (sys.executable, "-m", COMMAND_MODULE, "cycles")


def accelerator(
    model: str, board: str, position: int, count: int, streams: Sequence[int] = (1,)
) -> list[Measurement]:
    """The rows of one board for ``count`` tokens from ``position`` on, one for each count of
    streams.

    ``model`` is what :func:`model.contract.artifact.open_model` takes. Raises UserError with what
    the command says if there are no such cycles.
    """
    found = _asked(model, "--board", board, "--streams", *map(str, streams))
    return [of_cycles(facts, position, count) for facts in found]


def board_cycles(model: str, board: str) -> dict:
    """What the command prints of a model on a board; UserError as :func:`accelerator`."""
    (facts,) = _asked(model, "--board", board)
    return facts


def check_boards(boards: Sequence[str], streams: Sequence[int] = (1,)) -> None:
    """Raise UserError, with what the command says, unless all these boards are known, and such
    counts of streams possible.
    """
    _asked("--board", *boards, "--streams", *map(str, streams))


def _asked(*arguments: str) -> list:
    result = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, check=False)
    if result.returncode:
        last = (result.stderr.strip().splitlines() or ["no message"])[-1]
        raise UserError(last.removeprefix("error: "))
    return json.loads(result.stdout)


def how(facts: dict) -> str:
    """Where the figures of a row come from, by what the command prints of a board."""
    source = "simulated" if facts["streams"] == 1 else "predicted"
    return f"{source} cycles at {facts['clock_mhz']:g} MHz, not run on a board"


def of_cycles(facts: dict, position: int, count: int) -> Measurement:
    """The row of what the command prints of a board."""
    streams = facts["streams"]
    seconds = np.array(facts["cycles"]) / (streams * facts["clock_mhz"] * 1e6)
    sizes = f"{facts['rows']} × {facts['cols']}, {facts['lanes']} lanes"
    return Measurement(
        of_streams(f"{ACCELERATOR}-{facts['board']}", streams),
        f"{facts['title']}, {sizes}" + (f", {streams} streams" if streams > 1 else ""),
        INTEGER,
        how(facts),
        streams=streams,
        threads=0,
        seconds=seconds[None, position : position + count],
        position=position,
    )
