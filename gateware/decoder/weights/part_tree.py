"""Adder trees that give the sums of attention's segments and of the parts that scales are for."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ...engines.array.dot_tree import DotTree, tree_latencies


class PartTree(wiring.Component):
    """Sums the lanes of each segment and of each part, one set of lanes per cycle.

    A part is a segment, a piece or several of them: the larger sums are made of the smaller ones.

    Parameters
    ----------
    lanes, segment_lanes, part_lanes : int
        Both divide ``lanes``, and one of them the other.
    lane_width : int
        Bits of a lane.
    levels_per_register : int
        Adder levels between two registers.

    Attributes
    ----------
    sums_latency, parts_latency : int
        Cycles from ``lanes`` to ``sums`` and to ``parts``.
    sum_width, part_width : int

    Members
    -------
    lanes : In(ArrayLayout(signed(lane_width), lanes))
    sums : Out(ArrayLayout(signed(sum_width), lanes / segment_lanes))
    parts : Out(ArrayLayout(signed(part_width), lanes / part_lanes))
    """

    def __init__(
        self,
        *,
        lanes: int,
        segment_lanes: int,
        part_lanes: int,
        lane_width: int,
        levels_per_register: int,
    ):
        self._shape = (lanes, segment_lanes, part_lanes)
        self._lane_width, self._levels_per_register = lane_width, levels_per_register
        self._small, self._large = sorted((segment_lanes, part_lanes))
        first, _ = tree_latencies(1, self._small, levels_per_register)
        second, _ = tree_latencies(1, self._large // self._small, levels_per_register)
        latencies = {self._small: first, self._large: first + second}
        self.sums_latency, self.parts_latency = latencies[segment_lanes], latencies[part_lanes]
        self.sum_width, self.part_width = (
            lane_width + ceil_log2(size) for size in (segment_lanes, part_lanes)
        )
        super().__init__(
            {
                "lanes": In(data.ArrayLayout(signed(lane_width), lanes)),
                "sums": Out(data.ArrayLayout(signed(self.sum_width), lanes // segment_lanes)),
                "parts": Out(data.ArrayLayout(signed(self.part_width), lanes // part_lanes)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        lanes, segment_lanes, part_lanes = self._shape
        m.submodules.small = small = self._tree(lanes, self._small, self._lane_width)
        m.d.comb += Cat(small.lanes).eq(Cat(self.lanes))
        sums = {self._small: small.sums}
        if self._large != self._small:
            count, width = lanes // self._small, len(small.sums[0])
            m.submodules.large = large = self._tree(count, self._large // self._small, width)
            m.d.comb += Cat(large.lanes).eq(Cat(small.sums))
            sums[self._large] = large.sums
        m.d.comb += [
            Cat(self.sums).eq(Cat(sums[segment_lanes])),
            Cat(self.parts).eq(Cat(sums[part_lanes])),
        ]
        return m

    def _tree(self, lanes: int, size: int, lane_width: int) -> DotTree:
        return DotTree(
            segments=lanes // size,
            segment_lanes=size,
            lane_width=lane_width,
            dot_width=lane_width + ceil_log2(size),
            levels_per_register=self._levels_per_register,
        )
