"""Timing structure of what is synthesized for a board: ``gateformer board-paths zybo``.

As :mod:`platforms.synthesis.paths.depth`, of the netlist that ``build.py`` counts. Vivado's build
directory has none.
"""

from __future__ import annotations

import dataclasses
import json

from rich.console import Console

from gateformer.gateware.host.any_core import compile_model
from gateformer.gateware.plan.hw_config import MOST_STREAMS
from gateformer.model.contract.artifact import open_model
from gateformer.model.support.cli import ArgumentParser, run, within
from gateformer.model.support.errors import UserError

from ..boards.board import Board, board
from ..families.xcup import XCUP
from ..place_and_route.toolchain_board import for_toolchain
from ..sizes.sizing import choose_sizes
from ..support.defaults import DEFAULT_MODEL
from ..support.progress import UNWRAPPED, output_console, working
from ..synthesis.paths.analysis import analyze
from ..synthesis.paths.depth import STATUS, print_report, print_verdict
from ..synthesis.synthesis import synthesize_top

SEVERAL = {
    "streams": "texts that a core generates side by side",
    "cores": "cores side by side",
}
"""Options as of ``build.py``."""


def board_netlist(target: Board, model: str, streams: int = 1, cores: int = 1) -> dict:
    """Yosys' JSON of the board's top with the sizes that are chosen; minutes, if it is not kept."""
    artifact = open_model(model, imported=True)
    sizes = choose_sizes(artifact.model, target)
    program = compile_model(
        artifact.model, dataclasses.replace(sizes, streams=streams, cores=cores)
    )
    options = target.top_options(artifact.name)
    top = target.build_top(program, target.default_clock_mhz, **options)
    with working("synthesis"):
        return json.loads(synthesize_top(top, target).netlist.read_text(encoding="utf-8"))


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
    target = for_toolchain(target, arguments.toolchain)
    report = analyze(board_netlist(target, arguments.model, arguments.streams, arguments.cores))
    print_report(report, console)
    return print_verdict(report, console)


if __name__ == "__main__":
    run(main)
