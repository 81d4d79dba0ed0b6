"""Timing structure of what is synthesized for a board: ``gateformer board-paths zybo``.

As :mod:`platforms.synthesis.paths.depth`, of the netlist that ``build.py`` counts. Vivado's build
directory has none.
"""

from __future__ import annotations

import json

from rich.console import Console

from gateformer.gateware.host.any_core import compile_model
from gateformer.gateware.plan.hw_config import MAX_SIZES, MOST_STREAMS
from gateformer.model.contract.artifact import open_model
from gateformer.model.support.cli import ArgumentParser, run, within
from gateformer.model.support.errors import UserError

from ..boards.board import Board, board
from ..families.toolchain_limits import device_total
from ..families.xc7 import XC7
from ..families.xcup import XCUP
from ..place_and_route.toolchain_board import for_toolchain
from ..sizes.sizing import choose_sizes
from ..support.defaults import DEFAULT_MODEL, SIZES, several_streams
from ..support.progress import UNWRAPPED, output_console, working
from ..synthesis.paths.analysis import analyze
from ..synthesis.paths.depth import (
    MAX_CONTROL_SETS,
    STATUS,
    most_control_sets,
    print_report,
    print_verdict,
)
from ..synthesis.synthesis import synthesize_top

SEVERAL = {
    "streams": "texts that a core generates side by side",
    "cores": "cores side by side",
}
"""Options as of ``build.py``."""


def board_netlist(target: Board, model: str, **sizes: int) -> dict:
    """Yosys' JSON of the board's top with the ``sizes`` that are given, as to
    :func:`platforms.sizes.sizing.choose_sizes`, the others chosen; minutes, if it is not kept."""
    artifact = open_model(model, imported=True)
    program = compile_model(artifact.model, choose_sizes(artifact.model, target, **sizes))
    options = target.top_options(artifact.name)
    top = target.build_top(program, target.default_clock_mhz, **options)
    with working("synthesis"):
        return json.loads(synthesize_top(top, target).netlist.read_text(encoding="utf-8"))


def control_sets_of(target: Board) -> int:
    """What its device has room for; of another family than the 7 series as many as by default."""
    if target.family is not XC7:
        return MAX_CONTROL_SETS
    return most_control_sets(device_total(target.budget, "carry"))


def main(argv: list[str] | None = None, console: Console | None = None) -> int:
    """Print the report of a board's netlist; status 1 if it breaks a limit."""
    parser = ArgumentParser(
        prog="gateformer board-paths",
        description=__doc__.split("\n")[0],
        epilog=STATUS,
    )
    parser.add_argument("board", help="a board with a netlist: gateformer build --list")
    parser.add_argument("--variant", help="of a board that is made with several devices")
    parser.add_argument(
        "--toolchain", help="vivado, openxc7 or nextpnr (default: the one that is installed)"
    )
    what = "shipped name, artifact file or random:…"
    parser.add_argument("--model", default=DEFAULT_MODEL, help=what)
    for name, what in SIZES.items():
        parser.add_argument(f"--{name}", type=within(int, 1, MAX_SIZES[name]), help=what)
    for name, what in SEVERAL.items():
        parser.add_argument(f"--{name}", type=within(int, 1, MOST_STREAMS), default=1, help=what)
    arguments = parser.parse_args(argv)
    console = console or output_console(UNWRAPPED)
    target = board(arguments.board, arguments.variant, synthesized=True)
    if target.family is XCUP:
        raise UserError(
            f"no timing is known of the primitives of {XCUP.title}, which {target.name} has; name "
            "a board of the 7 series or with an ECP5"
        )
    target = for_toolchain(target, arguments.toolchain).with_streams(several_streams(arguments))
    given = {name: getattr(arguments, name) for name in (*SIZES, *SEVERAL)}
    sizes = {name: value for name, value in given.items() if value is not None}
    report = analyze(board_netlist(target, arguments.model, **sizes))
    print_report(report, console)
    return print_verdict(report, console, max_control_sets=control_sets_of(target))


if __name__ == "__main__":
    run(main)
