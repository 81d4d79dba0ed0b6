"""Exact cycles of every position on boards: ``gateformer cycles MODEL``.

Prints JSON, for ``gateformer bench``: of each board the sizes that are chosen for it, the stated
clock and the core's cycles per greedy token at every position of the context.
"""

from __future__ import annotations

import argparse
import json

from gateformer.gateware.plan.bounds import prove_bounds
from gateformer.model.contract.artifact import open_model
from gateformer.model.contract.integer_model import IntegerModel
from gateformer.model.support.cli import ArgumentParser, run

from ..boards.board import Board
from .named_board import named_board
from .program import SizedProgram
from .sizing import choose_sizes

DEFAULT_BOARDS = ("zybo",)


def cycles_on(model: IntegerModel, target: Board) -> dict:
    """JSON-ready facts; UserError if no sizes fit."""
    hw = choose_sizes(model, target)
    program = SizedProgram(model, hw, prove_bounds(model))
    return {
        "board": target.label,
        "title": target.title,
        "device": target.device,
        "clock_mhz": target.default_clock_mhz,
        **{name: getattr(hw, name) for name in ("rows", "cols", "lanes", "packing")},
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
    model = open_model(arguments.model).model
    print(json.dumps([cycles_on(model, target) for target in targets]))


if __name__ == "__main__":
    run(main)
