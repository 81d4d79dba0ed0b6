"""Adder trees of the INT8 array: lanes to segment sums to the total."""

from __future__ import annotations

from amaranth.hdl import Module, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ...parts.integers import ceil_div


def tree_latencies(segments: int, segment_lanes: int, levels_per_register: int) -> tuple[int, int]:
    """``sums_latency`` and ``total_latency`` of a :class:`DotTree`."""
    levels = ceil_log2(segment_lanes)
    total_levels = levels + ceil_log2(segments)
    return ceil_div(levels, levels_per_register), ceil_div(total_levels, levels_per_register)


class DotTree(wiring.Component):
    """Sums the lanes of each segment, and all segments; one set of lanes per cycle.

    Parameters
    ----------
    segments : int
    segment_lanes : int
        Lanes per segment.
    lane_width : int
        Bits of a lane.
    dot_width : int
        Bits of a segment's sum; no partial sum may need more.
    levels_per_register : int
        Adder levels between two registers.

    Attributes
    ----------
    sums_latency, total_latency : int
        Cycles from ``lanes`` to ``sums`` and to ``total``: the adder levels before them divided
        by ``levels_per_register``, rounded up. The total's adders share the register of the
        sums' last levels where they fit.

    Members
    -------
    lanes : In(ArrayLayout(signed(lane_width), segments * segment_lanes))
    sums : Out(ArrayLayout(signed(dot_width), segments))
    total : Out(signed(dot_width + ceil_log2(segments)))
    """

    def __init__(
        self,
        *,
        segments: int,
        segment_lanes: int,
        lane_width: int,
        dot_width: int,
        levels_per_register: int = 2,
    ):
        self._segments = segments
        self._segment_lanes = segment_lanes
        self._dot_width = dot_width
        self._levels_per_register = levels_per_register
        self.sums_latency, self.total_latency = tree_latencies(
            segments, segment_lanes, levels_per_register
        )
        super().__init__(
            {
                "lanes": In(data.ArrayLayout(signed(lane_width), segments * segment_lanes)),
                "sums": Out(data.ArrayLayout(signed(dot_width), segments)),
                "total": Out(signed(dot_width + ceil_log2(segments))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        size = self._segment_lanes
        segments = [
            [self.lanes[segment * size + lane] for lane in range(size)]
            for segment in range(self._segments)
        ]
        nodes = []
        for i, lanes in enumerate(segments):
            (node,), level = self._reduce(m, lanes, 0, self._dot_width, f"sum{i}")
            nodes.append(node)
            m.d.comb += self.sums[i].eq(self._registered(m, node, level, f"sum{i}"))
        if self._segments == 1:
            m.d.comb += self.total.eq(self.sums[0])
            return m
        (total,), level = self._reduce(m, nodes, level, len(self.total), "total")
        m.d.comb += self.total.eq(self._registered(m, total, level, "total"))
        return m

    def _reduce(self, m: Module, nodes: list, level: int, limit: int, name: str):
        """Add pairs until one node is left; returns ([node], level of that node)."""
        while len(nodes) > 1:
            level += 1
            width = min(len(nodes[0]) + 1, limit)
            domain = m.d.comb if level % self._levels_per_register else m.d.sync
            added = []
            for i in range(0, len(nodes), 2):
                node = Signal(signed(width), reset_less=True, name=f"{name}_{level}_{i // 2}")
                domain += node.eq(sum(nodes[i + 1 : i + 2], start=nodes[i]))
                added.append(node)
            nodes = added
        return nodes, level

    def _registered(self, m: Module, node, level: int, name: str):
        """``node`` behind a register, unless it is one."""
        if level % self._levels_per_register == 0:
            return node
        register = Signal.like(node, reset_less=True, name=f"{name}_register")
        m.d.sync += register.eq(node)
        return register
