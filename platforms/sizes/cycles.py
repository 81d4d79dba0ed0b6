"""Exact cycles of every position on boards: ``gateformer cycles MODEL``.

Prints JSON, for ``gateformer bench``: of each board the sizes that are chosen for it, the stated
clock and the core's cycles per greedy token at every position of the context.
"""

from __future__ import annotations

import argparse
import json

from gateformer.model.contract.artifact import open_model
from gateformer.model.support.cli import ArgumentParser, run

from ..boards.board import Board
from .facts import AnyModel, sizer
from .named_board import named_board
from .search import SEARCHED
from .sizing import choose_sizes

DEFAULT_BOARDS = ("zybo",)


def cycles_on(model: AnyModel, target: Board) -> dict:
    """JSON-ready facts; UserError if no sizes fit."""
    hw = choose_sizes(model, target)
    program = sizer(model)(hw)
    return {
        "board": target.label,
        "title": target.title,
        "device": target.device,
        "clock_mhz": target.default_clock_mhz,
        **{name: getattr(hw, name) for name in SEARCHED},
        "cycles": program.cycles_by_position(),
    }


def main(argv: list[str] | None = None) -> None:
    """Entry point; raises UserError."""
    parser = ArgumentParser(
        prog="gateformer cycles",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "model",
        nargs="?",
        help="shipped model, artifact or 'random:…'; without it, the boards' names are checked",
    )
    parser.add_argument(
        "--board",
        nargs="+",
        default=DEFAULT_BOARDS,
        metavar="BOARD",
        help="a variant follows a colon: ulx3s:25F (default: zybo)",
    )
    arguments = parser.parse_args(argv)
    targets = [named_board(text) for text in arguments.board]
    if arguments.model is None:
        print(json.dumps([target.label for target in targets]))
        return
    model = open_model(arguments.model, imported=True).model
    print(json.dumps([cycles_on(model, target) for target in targets]))


if __name__ == "__main__":
    run(main)
