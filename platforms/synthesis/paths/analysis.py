"""Timing structure of a mapped netlist: how much logic lies between two registers.

Reads yosys' JSON (``write_json``) of a flattened ``synth_xilinx`` (7 series) or ``synth_ecp5``
design. Counted exactly are *stages*: a LUT is one, a LUT-RAM read is one, a shift register's
address is one, and a carry chain (CARRY4 or CCU2C chained carry out to carry in) is one however
long it is; its length is counted beside the stages, in *carry bits*. Wide multiplexers (MUXF7,
MUXF8, PFUMX, L6MUX21: beside their LUTs in the slice), inverters and buffers are no stage.
*Elements* are the block-memory and multiplier outputs on a path: the one that it starts at, and
every multiplier that it passes through because that multiplier's registers are off. Top-level
inputs count as registers, top-level outputs as registers' inputs.

The nanoseconds are an **estimate that ranks paths**: the cells' figures are those of the slowest
speed grade, but nothing is placed, so a net costs a constant plus a term of its fan-out, and
nothing if it stays in its slice (LUT to its only register, LUT to CARRY4, carry to carry).

Other than yosys' ``ltp``, which counts cells: there every CARRY4 or CCU2C, wide multiplexer,
inverter and buffer is one more, and every input of a cell reaches every output.
"""

from __future__ import annotations

import collections
import dataclasses

from .cells import CARRY_BITS, REGISTER_DATA, SHIFT_REGISTER_DATA
from .graph import Graph
from .names import signal_name
from .netlist_graph import NetlistGraph
from .traversal import arrivals, topological, trace

MAX_ELEMENTS = 1
"""Block-memory and multiplier outputs on a path that is not reported as heavy."""


@dataclasses.dataclass(frozen=True)
class TimingPath:
    """The worst path to one end signal.

    ``carry_bits``: of the carry cells that it passes through, four each (CARRY4) or two (CCU2C).
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

    @property
    def carry_bits(self) -> int:
        return sum(CARRY_BITS.get(primitive, 0) for primitive, _ in self.cells)


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
        The path of the largest estimate per end signal; every carry bit counts in it, and the ways
        into and out of a chain (:mod:`platforms.synthesis.paths.cells` has the figures and their
        sources).
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
    graph = NetlistGraph(netlist["modules"][top])
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
