"""Timing structure of a mapped netlist: how much logic lies between two registers.

``gateformer path-depth`` holds it against limits; what is counted:
:mod:`platforms.synthesis.paths.analysis`.
"""

from __future__ import annotations

import collections
import json
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from gateformer.model.support.cli import ArgumentParser, run, within
from gateformer.model.support.counted import counted
from gateformer.model.support.errors import UserError

from ...support import yosys
from ...support.progress import UNWRAPPED, output_console
from .analysis import MAX_ELEMENTS, PathReport, TimingPath, analyze
from .cells import BOUNDARIES, CLOCKED

MADE_BY = "top.json of gateformer build BOARD --toolchain openxc7, or yosys' write_json"
"""Where netlists come from."""
STATUS = "exit status: 0, or 1 if the netlist breaks a limit"
MAX_STAGES = 5
MAX_LIMIT = 1_000_000
"""Of what a user may ask for."""
MAX_RESET_FANOUT = 500
"""Register pins; a larger reset from the fabric wants a global buffer or fewer users."""


def most_control_sets(slices: int) -> int:
    """Distinct (clock, reset, enable) that a 7-series device has room for: 7.5 % of its slices.

    The registers of a slice share one; up to so many, what slices stay partly empty for them is of
    no account (UG949, "UltraFast Design Methodology Guide": acceptable).
    """
    return slices * 75 // 1000


MAX_CONTROL_SETS = most_control_sets(4_400)
"""Where the device is not known: those of the xc7z010."""


def check(
    report: PathReport,
    max_stages: int = MAX_STAGES,
    *,
    max_reset_fanout: int = MAX_RESET_FANOUT,
    max_control_sets: int = MAX_CONTROL_SETS,
) -> list[str]:
    """Violations, one line each; empty if the netlist keeps to the limits.

    Limits: stages of a path; one block-memory or multiplier output on a path; nothing but registers
    behind an output without register; pins of a reset that no global buffer drives; control sets.
    """
    lines = [
        f"{path.end}: {counted(path.stages, 'stage')} from {path.start}, not {max_stages} or fewer"
        for path in report.paths
        if path.stages > max_stages
    ]
    lines += [
        f"{path.end}: {path.elements} block-memory or multiplier outputs on the path from "
        f"{path.start}, not {MAX_ELEMENTS}"
        for path in report.multi_element
    ]
    lines += [
        f"{output.name} ({output.primitive}): no output register, and it drives "
        f"{', '.join(output.drives)}, not registers alone"
        for output in report.unregistered
        if not output.registered_behind
    ]
    lines += [
        f"reset {name}: {pins} pins from the fabric, not {max_reset_fanout} or fewer"
        for name, pins in report.fabric_resets
        if pins > max_reset_fanout
    ]
    if report.control_sets > max_control_sets:
        lines.append(f"{report.control_sets} control sets, not {max_control_sets} or fewer")
    return lines


def longest_topological_path(netlist: dict, top: str = "top") -> int:
    """Length by yosys' ``ltp -noff`` over the cells that are not clocked, in cells.

    Block memories, multipliers, shift registers and LUT memories are left out besides the
    registers: to ``ltp`` they would be combinational.
    """
    types = {cell["type"] for cell in netlist["modules"][top]["cells"].values()}
    clocked = " ".join(f"t:{kind} %d" for kind in sorted(types & {*CLOCKED, *BOUNDARIES}))
    with tempfile.TemporaryDirectory() as directory:
        work = Path(directory)
        (work / "netlist.json").write_text(json.dumps(netlist), encoding="utf-8")
        yosys.run(
            f"read_json netlist.json\ncd {top}\nselect * {clocked}\ntee -o ltp.txt ltp -noff\n",
            work,
        )
        log = (work / "ltp.txt").read_text(encoding="utf-8")
    return int(re.search(r"\(length=(\d+)\)", log)[1])


def _pattern(name: str) -> str:
    """``name`` with every number as ``*``: what lanes and the bits of a bus have in common."""
    return re.sub(r"\d+", "*", re.sub(r"\$\d+|\[\d+\]", "", name))


def _kinds(path: TimingPath) -> str:
    """Primitives along the path; a run of one is ``CARRY4×3``."""
    runs: list[list] = []
    for kind, _ in path.cells:
        if runs and runs[-1][0] == kind:
            runs[-1][1] += 1
        else:
            runs.append([kind, 1])
    return " ".join(kind if count == 1 else f"{kind}×{count}" for kind, count in runs)


def _kind_of_end(end: str) -> str:
    """End signals of one kind differ in numbers only, or are controls of one block."""
    match = re.fullmatch(r"((?:.*\.)?)[^.]+\.((?:CE|R|S|CLR|PRE|LSR)(?:\[\d+\])?)", end)
    return _pattern(f"{match[1]} {match[2]}" if match else end)


def distinct(paths: Iterable[TimingPath]) -> list[tuple[TimingPath, int]]:
    """The first path to each kind of end signal, with the number of end signals of that kind.

    Ends that differ in numbers only (lanes, words, bits) are of one kind, and so are the enables,
    or the resets, of a block's registers.
    """
    first, alike = {}, collections.Counter()
    for path in paths:
        kind = _kind_of_end(path.end)
        first.setdefault(kind, path)
        alike[kind] += 1
    return [(path, alike[kind]) for kind, path in first.items()]


def print_report(report: PathReport, console: Console, rows: int = 20) -> None:
    """Tables of the deepest and the slowest paths, and the counts; ns are estimates."""
    for title, paths in (
        ("deepest paths", report.paths),
        ("slowest paths (estimate)", report.slowest),
        ("paths with several block-memory or multiplier outputs", report.multi_element),
    ):
        table = Table(title=title, show_lines=True)
        for column in ("stages", "carry\nbits", "est.\nns", "alike"):
            table.add_column(column, justify="right", no_wrap=True)
        table.add_column("end\nstart\ncells", overflow="fold")
        for path, alike in distinct(paths)[:rows]:
            counts = (path.stages, path.carry_bits, f"{path.estimated_ns:.1f}", alike)
            lines = (path.end, path.start, _kinds(path))
            table.add_row(*map(str, counts), Text("\n".join(lines)))
        if paths:
            console.print(table)
    table = Table(title="structure", show_header=False)
    table.add_column(style="bold", max_width=24)
    table.add_column(overflow="fold")
    counts = ", ".join(f"{stages}: {ends:,}" for stages, ends in report.histogram.items())
    table.add_row("end points by stages", counts)
    table.add_row("control sets", str(report.control_sets))
    for title, nets in (
        ("resets", report.resets),
        ("enables", report.enables),
        ("data nets", report.data_fanouts),
    ):
        largest = "\n".join(f"{pins:,} {name}" for name, pins in nets[:8])
        table.add_row(f"{title} of most pins ({len(nets)})", largest)
    kinds = collections.Counter(
        (o.primitive, _pattern(o.name), o.stages, ", ".join(o.drives)) for o in report.unregistered
    )
    lines = (
        f"{count} × {name} ({primitive}): drives {drives}, {counted(stages, 'stage')} behind"
        for (primitive, name, stages, drives), count in kinds.items()
    )
    table.add_row("outputs without register", "\n".join(lines))
    console.print(table)


def _read_netlist(path: Path) -> dict:
    try:
        netlist = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}; give {MADE_BY}") from None
    except ValueError:
        raise UserError(f"{path} is no JSON; give {MADE_BY}") from None
    modules = netlist.get("modules") if isinstance(netlist, dict) else None
    if not modules or not isinstance(modules, dict):
        raise UserError(f"{path} has no modules; give {MADE_BY}")
    return netlist


def main(argv: list[str] | None = None, console: Console | None = None) -> int:
    """Print the report of a netlist; status 1 if it breaks a limit."""
    parser = ArgumentParser(
        prog="gateformer path-depth", description=__doc__.split("\n")[0], epilog=STATUS
    )
    parser.add_argument(
        "netlist", type=Path, help=f"yosys' JSON of a mapped, flat design: {MADE_BY}"
    )
    parser.add_argument("--top", default="top", help="name of the top module")
    parser.add_argument(
        "--limit",
        type=within(int, 0, MAX_LIMIT),
        default=MAX_STAGES,
        help="LUTs and carry chains that a path may have",
    )
    parser.add_argument(
        "--rows", type=within(int, 0, MAX_LIMIT), default=20, help="paths that are listed"
    )
    parser.add_argument(
        "--ltp",
        action="store_true",
        help="compare with the longest path that yosys' ltp -noff finds",
    )
    arguments = parser.parse_args(argv)
    console = console or output_console(UNWRAPPED)
    netlist = _read_netlist(arguments.netlist)
    modules = netlist["modules"]
    if arguments.top not in modules:
        raise UserError(
            f"{arguments.netlist} has no module {arguments.top}; "
            f"name one with --top: {', '.join(modules)}"
        )
    try:
        report = analyze(netlist, arguments.top)
    except ValueError as error:
        raise UserError(f"{arguments.netlist}: {error}") from None
    except (KeyError, IndexError, TypeError, AttributeError):
        raise UserError(
            f"{arguments.netlist}: module {arguments.top} is not as yosys writes one; "
            f"give {MADE_BY}"
        ) from None
    print_report(report, console, arguments.rows)
    if arguments.ltp:
        length = longest_topological_path(netlist, arguments.top)
        console.print(f"yosys ltp -noff: {length} cells (every carry cell and multiplexer counts)")
    return print_verdict(report, console, arguments.limit, arguments.rows)


def print_verdict(
    report: PathReport,
    console: Console,
    limit: int = MAX_STAGES,
    rows: int = 20,
    *,
    max_control_sets: int = MAX_CONTROL_SETS,
) -> int:
    """Print the first violations and their number; status 1 if there are any."""
    violations = check(report, limit, max_control_sets=max_control_sets)
    for line in violations[:rows]:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    console.print(counted(len(violations), "violation"))
    return 1 if violations else 0


if __name__ == "__main__":
    run(main)
