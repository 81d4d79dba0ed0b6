"""Exact cycles of every position on boards: ``gateformer cycles MODEL``.

Prints JSON, for ``gateformer bench``: of each board the sizes that are chosen for it, the stated
clock and the core's cycles per greedy token at every position of the context. Of several streams,
begun in one cycle and to the end of their contexts: those of a token of every stream.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
from collections.abc import Sequence

from gateformer.gateware.compiler.program import Program
from gateformer.gateware.compiler.several_cores import tokens_together
from gateformer.gateware.plan.hw_config import MOST_STREAMS, HwConfig
from gateformer.model.contract.artifact import open_model
from gateformer.model.contract.decoder.model import DecoderModel
from gateformer.model.support.cli import ArgumentParser, run, within
from gateformer.model.support.errors import UserError

from ..boards.board import Board
from .facts import AnyModel, sizer
from .named_board import named_board
from .search import SEARCHED
from .sizing import choose_sizes

DEFAULT_BOARDS = ("zybo",)


def cycles_on(model: AnyModel, target: Board, counts: Sequence[int] = (1,)) -> list[dict]:
    """JSON-ready facts for each count of streams, all with the sizes of one; UserError if no sizes
    fit.
    """
    hw = choose_sizes(model, target)
    return [
        {
            "board": target.label,
            "title": target.title,
            "device": target.device,
            "clock_mhz": target.default_clock_mhz,
            **{name: getattr(hw, name) for name in SEARCHED},
            "streams": count,
            "cycles": _cycles(model, dataclasses.replace(hw, streams=count)),
        }
        for count in counts
    ]


def _cycles(model: AnyModel, hw: HwConfig) -> list[int]:
    """At every position; of several streams from the start, or from when all have the token before,
    to when all have theirs.
    """
    if hw.streams == 1:
        return sizer(model)(hw).cycles_by_position()
    last = map(max, zip(*tokens_together(Program(model, hw)), strict=True))
    return [after - before for before, after in itertools.pairwise([-1, *last])]


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
    parser.add_argument(
        "--streams",
        nargs="+",
        type=within(int, 1, MOST_STREAMS),
        default=(1,),
        metavar="N",
        help="texts at once in a core on chip of a model that was trained here, with the sizes for "
        "one (default: 1)",
    )
    arguments = parser.parse_args(argv)
    targets = [named_board(text) for text in arguments.board]
    if arguments.model is None:
        print(json.dumps([target.label for target in targets]))
        return
    model = open_model(arguments.model, imported=True).model
    several = [count for count in arguments.streams if count > 1]
    if several and isinstance(model, DecoderModel):
        raise UserError(
            f"--streams {several[0]}: the core of an imported model has 1 stream on chip; leave "
            "--streams out"
        )
    found = (cycles_on(model, target, arguments.streams) for target in targets)
    print(json.dumps(list(itertools.chain.from_iterable(found))))


if __name__ == "__main__":
    run(main)
