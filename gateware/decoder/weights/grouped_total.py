"""From the lanes' products of one word to a row's total, where groups of columns have scales."""

from __future__ import annotations

import math
from collections.abc import Sequence

from amaranth.hdl import Cat, Module, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from gateformer.model.contract.arith import signed_width

from ...parts.delay import delayed
from ...parts.elaboration import may_stay_unused
from ..instruction import Source
from ..layout import DecoderLayout
from .group_sums import GroupSums
from .part_tree import PartTree
from .weight_store import WeightStore
from .word_format import MINIMUM_BITS, SCALE_BITS


def part_lanes(layout: DecoderLayout, stores: Sequence[WeightStore]) -> int:
    """Lanes whose sum is scaled: as many as the formats' groups, words of ``layout`` and its
    segments allow, a power of two; all of a word if no store has groups."""
    size = math.gcd(*(s.format.scale_lanes for s in stores if s.format.group)) or layout.lanes
    segment = layout.segment_lanes
    return size if size % segment == 0 or segment % size == 0 else math.gcd(size, segment)


class GroupedTotal(wiring.Component):
    """A :class:`PartTree` and the :class:`GroupSums` behind it, in step.

    Parameters
    ----------
    layout : DecoderLayout
    beat : StructLayout, of the lanes' beat, with ``min_shift`` if groups have minimums
    scales_delay, lanes_delay : int, cycles from a beat to its scales and to its lanes
    part_lanes : int, of :func:`part_lanes`
    lane_width : int, bits of a lane
    most_products : sequence of int, the largest product of a weight and an activation in each lane
    most_activation : int, the largest activation
    total_width : int, bits of a total
    levels_per_register : int

    Attributes
    ----------
    latencies : (int, int), cycles from a beat to the sums and to the total that include it

    Members
    -------
    beat : In(beat)
    scales, minimums : In(ArrayLayout), of the parts of the beat's word
    lanes : In(ArrayLayout(signed(lane_width), lanes)), products of the beat's word
    sums : Out(ArrayLayout(signed, segments)), of attention's segments
    total : Out(signed(total_width)), of the beats since ``first``
    """

    def __init__(
        self,
        *,
        layout: DecoderLayout,
        beat: data.StructLayout,
        scales_delay: int,
        lanes_delay: int,
        part_lanes: int,
        lane_width: int,
        most_products: Sequence[int],
        most_activation: int,
        total_width: int,
        levels_per_register: int,
    ):
        self._part_lanes, self._minimums = part_lanes, "min_shift" in beat.members
        parts = layout.lanes // part_lanes
        self._tree = PartTree(
            lanes=layout.lanes,
            segment_lanes=layout.segment_lanes,
            part_lanes=part_lanes,
            lane_width=lane_width,
            levels_per_register=levels_per_register,
        )
        self._groups = GroupSums(
            sum_widths=[
                signed_width(sum(most_products[first : first + part_lanes]))
                for first in range(0, layout.lanes, part_lanes)
            ],
            total_width=total_width,
            minimums=self._minimums,
            activation_width=signed_width(most_activation * part_lanes),
            words=layout.activation_words,
            levels_per_register=levels_per_register,
        )
        may_stay_unused(self._tree, self._groups)
        self._parts_delay = lanes_delay + self._tree.parts_latency
        self._scales_wait = self._parts_delay - scales_delay
        self.latencies = (
            lanes_delay + self._tree.sums_latency,
            self._parts_delay + self._groups.latency,
        )
        super().__init__(
            {
                "beat": In(beat),
                "scales": In(data.ArrayLayout(unsigned(SCALE_BITS), parts)),
                "minimums": In(data.ArrayLayout(signed(MINIMUM_BITS), parts)),
                "lanes": In(data.ArrayLayout(signed(lane_width), layout.lanes)),
                "sums": Out(data.ArrayLayout(signed(self._tree.sum_width), layout.segments)),
                "total": Out(signed(total_width)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.tree, m.submodules.groups = tree, groups = self._tree, self._groups
        beat, wait = self.beat, self._parts_delay
        m.d.comb += [
            Cat(tree.lanes).eq(Cat(self.lanes)),
            Cat(self.sums).eq(Cat(tree.sums)),
            *(mine.eq(part) for mine, part in zip(groups.sums, tree.parts, strict=True)),
            Cat(groups.scales).eq(delayed(m, Cat(self.scales), self._scales_wait, name="scales")),
            groups.valid.eq(delayed(m, beat.valid, wait, reset_less=False, name="valid")),
            groups.first.eq(delayed(m, beat.first, wait, name="first")),
            self.total.eq(groups.total),
        ]
        if self._minimums:
            minimums = delayed(m, Cat(self.minimums), self._scales_wait, name="minimums")
            m.d.comb += Cat(groups.minimums).eq(minimums)
            for name, value in (
                ("keep", beat.source == Source.GROUP_SUMS),
                ("element", beat.source == Source.ELEMENT),
                ("part", beat.lane >> (self._part_lanes.bit_length() - 1)),
                ("word", beat.activation),
                ("min_shift", beat.min_shift),
            ):
                m.d.comb += getattr(groups, name).eq(delayed(m, value, wait, name=name))
        return m
