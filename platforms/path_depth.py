"""Timing structure of a mapped netlist: how much logic lies between two registers.

Reads yosys' JSON (``write_json``) of a flattened ``synth_xilinx`` (7 series) or ``synth_ecp5``
design. Counted exactly are *stages*: a LUT is one, a LUT-RAM read is one, a shift register's
address is one, and a carry chain (CARRY4 or CCU2C chained carry out to carry in) is one however
long it is. Wide multiplexers (MUXF7, MUXF8, PFUMX, L6MUX21: beside their LUTs in the slice),
inverters and buffers are none. *Elements* are the block-memory and multiplier outputs on a path:
the one that it starts at, and every multiplier that it passes through because that multiplier's
registers are off. Top-level inputs count as registers, top-level outputs as registers' inputs.

The nanoseconds are an **estimate that ranks paths**: the cells' figures are those of the slowest
speed grade, but nothing is placed, so a net costs a constant plus a term of its fan-out, and
nothing if it stays in its slice (LUT to its only register, LUT to CARRY4, carry to carry).

Other than yosys' ``ltp``, which counts cells: there every CARRY4 or CCU2C, wide multiplexer,
inverter and buffer is one more, and every input of a cell reaches every output.
"""

from __future__ import annotations

import collections
import dataclasses
import json
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from model.cli import ArgumentParser, run
from model.errors import UserError

from . import yosys
from .path_cells import BOUNDARIES, CLOCKED, REGISTER_DATA, SHIFT_REGISTER_DATA
from .path_graph import Graph
from .path_names import signal_name
from .path_traversal import arrivals, topological, trace

MAX_STAGES = 5
MAX_ELEMENTS = 1
MAX_RESET_FANOUT = 500
"""Register pins; a larger reset from the fabric wants a global buffer or fewer users."""
MAX_CONTROL_SETS = 330
"""Distinct (clock, reset, enable): 7.5 % of the xc7z010's 4,400 slices (UG949's guideline)."""


@dataclasses.dataclass(frozen=True)
class TimingPath:
    """The worst path to one end signal.

    ``cells``: (primitive, net driven) in order, without start and end; a name that ends in ``~``
    is of something yosys made near that signal. ``end_bits``: pins that the end signal has.
    """

    stages: int
    estimated_ns: float
    elements: int
    start: str
    end: str
    end_bits: int
    cells: tuple[tuple[str, str], ...]


@dataclasses.dataclass(frozen=True)
class Unregistered:
    """A used block-memory or multiplier output without output register in the primitive.

    ``stages`` and ``elements``: the most that lie between it and the next register.
    ``drives``: what it goes to directly, as primitive and port.
    """

    name: str
    primitive: str
    stages: int
    elements: int
    drives: tuple[str, ...]

    @property
    def registered_behind(self) -> bool:
        """Whether it drives registers only, shift registers among them: no logic behind it."""
        return set(self.drives) <= REGISTER_DATA | SHIFT_REGISTER_DATA


@dataclasses.dataclass(frozen=True)
class PathReport:
    """What :func:`analyze` found; every list has its worst entry first.

    Attributes
    ----------
    paths : tuple of TimingPath
        The deepest path per end signal, by (stages, estimated ns).
    slowest : tuple of TimingPath
        The path of the largest estimate per end signal.
    multi_element : tuple of TimingPath
        Per end signal, a path with more than one block-memory or multiplier output.
    histogram : dict of stages to end points (register, memory and output pins)
    control_sets : int
        Distinct (clock, reset, enable, kind of reset) of flip-flops.
    resets, enables, data_fanouts : tuple of (net, pins)
    fabric_resets : tuple of (net, pins)
        The resets that no global buffer drives.
    unregistered : tuple of Unregistered
    """

    paths: tuple[TimingPath, ...]
    slowest: tuple[TimingPath, ...]
    multi_element: tuple[TimingPath, ...]
    histogram: dict[int, int]
    control_sets: int
    resets: tuple[tuple[str, int], ...]
    fabric_resets: tuple[tuple[str, int], ...]
    enables: tuple[tuple[str, int], ...]
    data_fanouts: tuple[tuple[str, int], ...]
    unregistered: tuple[Unregistered, ...]


def _worst_paths(graph: Graph, order: list, key: tuple[int, int, int]) -> list[TimingPath]:
    """The worst path per end signal by the weights in the order of ``key``, worst first."""
    arrived = arrivals(graph, order, key)
    worst, bits = {}, collections.Counter()
    for bit, weight, name, index in graph.ends:
        if bit in arrived:
            total = tuple(x + weight[k] for x, k in zip(arrived[bit][0], key, strict=True))
            bits[name] += 1
            if name not in worst or total > worst[name][0]:
                worst[name] = total, bit, index
    paths = []
    for (signal, pin), (total, bit, index) in sorted(worst.items(), key=lambda w: w[1][0])[::-1]:
        start, cells = trace(graph, arrived, bit)
        end = ".".join(filter(None, (signal, pin))) + ("" if index is None else f"[{index}]")
        stages, ns, elements = (total[key.index(k)] for k in range(3))
        paths.append(TimingPath(stages, ns, elements, start, end, bits[signal, pin], cells))
    return paths


def _unregistered_outputs(graph: Graph, order: list) -> list[Unregistered]:
    """What lies behind the outputs without register, worst first."""
    behind = collections.defaultdict(lambda: (0, 0))
    for node in reversed(order):
        elements, stages = behind[node]
        for source, weight in graph.arcs[node]:
            behind[source] = max(behind[source], (elements + weight[2], stages + weight[0]))
    result = []
    for (cell, port, primitive), bits in graph.outputs_without_register.items():
        elements, stages = max(behind[bit] for bit in bits)
        drives = tuple(sorted(set().union(*(graph.sinks[bit] for bit in bits))))
        name = f"{signal_name(cell)}.{port}"
        result.append(Unregistered(name, primitive, stages, elements, drives))
    return sorted(result, key=lambda u: (u.registered_behind, -u.elements, -u.stages, u.name))


def analyze(netlist: dict, top: str = "top") -> PathReport:
    """Timing structure of the mapped module ``top`` of yosys' JSON.

    Takes seconds for 40,000 cells. Raises ValueError for a primitive that is not known here or a
    missing top, CombinationalLoopError naming the nets of a loop.
    """
    if top not in netlist.get("modules", {}):
        raise ValueError(f"no module {top} in the netlist")
    graph = Graph(netlist["modules"][top])
    order = topological(graph)
    stages_first = arrivals(graph, order, (0, 1, 2))
    depths = (stages_first[bit][0][0] for bit, *_ in graph.ends if bit in stages_first)
    heavy = _worst_paths(graph, order, (2, 0, 1))

    def largest(pins: collections.Counter):
        return tuple((graph.describe(bit), count) for bit, count in pins.most_common())

    buffers = ("BUFG", "BUFGCTRL", "DCCA")
    fabric = {b: n for b, n in graph.reset_pins.items() if graph.driver_type(b) not in buffers}
    return PathReport(
        paths=tuple(_worst_paths(graph, order, (0, 1, 2))),
        slowest=tuple(_worst_paths(graph, order, (1, 0, 2))),
        multi_element=tuple(path for path in heavy if path.elements > MAX_ELEMENTS),
        histogram=dict(sorted(collections.Counter(depths).items())),
        control_sets=len(graph.control_sets),
        resets=largest(graph.reset_pins),
        fabric_resets=largest(collections.Counter(fabric)),
        enables=largest(graph.enable_pins),
        data_fanouts=largest(graph.data_pins)[:50],
        unregistered=tuple(_unregistered_outputs(graph, order)),
    )


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
        f"{path.end}: {path.stages} stages from {path.start}, not {max_stages} or fewer"
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
        table = Table(title=title)
        for column in ("stages", "est. ns", "end", "alike", "start", "cells"):
            number = column in ("stages", "est. ns", "alike")
            table.add_column(column, justify="right" if number else "left", overflow="fold")
        for path, alike in distinct(paths)[:rows]:
            cells = (str(path.stages), f"{path.estimated_ns:.1f}", path.end, str(alike))
            table.add_row(*cells, path.start, _kinds(path))
        if paths:
            console.print(table)
    table = Table(title="structure", show_header=False)
    table.add_column(style="bold")
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
        f"{count} × {name} ({primitive}): drives {drives}, {stages} stages behind"
        for (primitive, name, stages, drives), count in kinds.items()
    )
    table.add_row("outputs without register", "\n".join(lines))
    console.print(table)


def _read_netlist(path: Path) -> dict:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}; give yosys' JSON") from None
    except ValueError:
        raise UserError(f"{path} is no JSON; write it with yosys' write_json") from None


def main(argv: list[str] | None = None, console: Console | None = None) -> int:
    """Print the report of a netlist; status 1 if it breaks a limit."""
    parser = ArgumentParser(
        prog="python -m platforms.path_depth", description=__doc__.split("\n")[0]
    )
    parser.add_argument("netlist", type=Path, help="yosys' write_json of a mapped, flat design")
    parser.add_argument("--top", default="top", help="name of the top module")
    parser.add_argument("--limit", type=int, default=MAX_STAGES, help="most stages of a path")
    parser.add_argument("--rows", type=int, default=20, help="rows of a table of paths")
    parser.add_argument("--ltp", action="store_true", help="compare with yosys' ltp -noff")
    arguments = parser.parse_args(argv)
    console = console or Console()
    netlist = _read_netlist(arguments.netlist)
    try:
        report = analyze(netlist, arguments.top)
    except ValueError as error:
        raise UserError(f"{arguments.netlist}: {error}") from None
    print_report(report, console, arguments.rows)
    if arguments.ltp:
        length = longest_topological_path(netlist, arguments.top)
        console.print(f"yosys ltp -noff: {length} cells (every carry cell and multiplexer counts)")
    violations = check(report, arguments.limit)
    for line in violations[: arguments.rows]:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    console.print(f"{len(violations):,} violations")
    return 1 if violations else 0


if __name__ == "__main__":
    run(main)
