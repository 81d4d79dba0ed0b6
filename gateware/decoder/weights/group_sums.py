"""Sums of groups times the groups' scales: rows of weights whose scales are not the row's alone."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Cat, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from gateformer.model.contract.decoder.matrix import MAX_MIN_SHIFT

from ...engines.array.dot_tree import DotTree, tree_latencies
from ...parts.delay import delayed
from ...parts.registered_read import COLLISION_FREE, registered_read
from .word_format import MINIMUM_BITS, SCALE_BITS


class GroupSums(wiring.Component):
    """``total (+)= Σ scale * sum + (minimum << min_shift) * activations`` over the parts of a word.

    A *part* is the lanes of a word that one scale is for: ``sum`` is that of their products of
    codes and activations, ``activations`` the sum of their activations alone. All rows share the
    latter: a beat that ``keeps`` brings them as its sums, ahead of the rows, and they stay in a
    memory by word. A beat per cycle, with or without gaps; a kept word is there for the next beat.

    Parameters
    ----------
    sum_widths : sequence of int
        Bits of each part's sum.
    total_width : int
        Bits of a total: no sum over some of a row's columns may need more.
    minimums : bool
        Whether there are any; without, no port from ``minimums`` to ``part`` either.
    activation_width : int
        Bits of a sum of activations.
    words : int
        Words of activations.
    levels_per_register : int
        Adder levels between two registers.

    Attributes
    ----------
    latency : int
        Cycles from a beat to the total that includes it.

    Members
    -------
    valid, first : In(1), ``first`` starts the total anew
    sums : In(ArrayLayout(signed(max(sum_widths)), parts))
    total : Out(signed(total_width))
    scales : In(ArrayLayout(unsigned(8), parts))
    minimums : In(ArrayLayout(signed(8), parts)), min_shift : In(range(8))
    keep : In(1), of a valid beat: the sums are those of activations
    word : In(range(words)), the word of activations
    element : In(1), the only activation is 1, in the part of index ``part``, In(range(parts))
    """

    PRODUCTS = 3
    """Registers of operands, products and their sum, as in a multiplier block."""

    def __init__(
        self,
        *,
        sum_widths: Sequence[int],
        total_width: int,
        minimums: bool,
        activation_width: int,
        words: int,
        levels_per_register: int,
    ):
        self._sum_widths, self._words = sum_widths, words
        self._parts = parts = len(sum_widths)
        self._activation_width, self._levels_per_register = activation_width, levels_per_register
        self._minimums = minimums
        tree_latency, _ = tree_latencies(1, parts, levels_per_register)
        self.latency = self.PRODUCTS + tree_latency + 1
        members = {
            "valid": In(1),
            "first": In(1),
            "sums": In(data.ArrayLayout(signed(max(sum_widths)), parts)),
            "scales": In(data.ArrayLayout(unsigned(SCALE_BITS), parts)),
            "total": Out(signed(total_width)),
        }
        if minimums:
            members |= {
                "minimums": In(data.ArrayLayout(signed(MINIMUM_BITS), parts)),
                "min_shift": In(range(MAX_MIN_SHIFT + 1)),
                "keep": In(1),
                "word": In(range(words)),
                "element": In(1),
                "part": In(range(parts)),
            }
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        width = len(self.total)
        m.submodules.tree = tree = DotTree(
            segments=1,
            segment_lanes=self._parts,
            lane_width=width,
            dot_width=width,
            levels_per_register=self._levels_per_register,
        )
        lows = self._lows(m) if self._minimums else [0] * self._parts
        for i, low in enumerate(lows):
            own = _narrow(self.sums[i], self._sum_widths[i])
            operand = delayed(m, own, 1, name=f"sum{i}")
            scaled = _narrow(operand * delayed(m, self.scales[i], 1, name=f"scale{i}"), width)
            part = _narrow(delayed(m, scaled, 1, name=f"scaled{i}") + low, width)
            m.d.comb += tree.lanes[i].eq(delayed(m, part, 1, name=f"part{i}"))
        wait = self.latency - 1
        valid = delayed(m, self.valid, wait, reset_less=False, name="valid")
        first = delayed(m, self.first, wait, name="first")
        total = Signal(signed(width), reset_less=True)
        with m.If(valid):
            m.d.sync += total.eq(Mux(first, 0, total) + tree.total)
        m.d.comb += self.total.eq(total)
        return m

    def _lows(self, m: Module) -> list:
        """Of each part, its minimum times its activations, 2 cycles after the beat."""
        wide = self._activation_width
        m.submodules.activations = memory = Memory(
            shape=unsigned(self._parts * wide),
            depth=self._words,
            init=[],
            attrs={"ram_style": "distributed", **COLLISION_FREE},
        )
        write = memory.write_port()
        m.d.comb += [
            write.en.eq(self.valid & self.keep),
            write.addr.eq(self.word),
            write.data.eq(Cat(part[:wide] for part in self.sums)),
        ]
        kept = registered_read(m, memory, self.word, "kept")
        element = delayed(m, self.element, 1, name="element")
        chosen = delayed(m, self.part, 1, name="chosen")
        lows = []
        for i in range(self._parts):
            activations = kept.word_select(i, wide).as_signed()
            minimum = delayed(m, self.minimums[i] << self.min_shift, 1, name=f"minimum{i}")
            low = minimum * Mux(element, chosen == i, activations)
            lows.append(delayed(m, _narrow(low, len(self.total)), 1, name=f"low{i}"))
        return lows


def _narrow(value, width: int):
    """The lowest bits of a number that needs no more for its share of a total."""
    return value[:width].as_signed() if len(value) > width else value
