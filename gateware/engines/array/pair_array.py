"""INT8 array with two products per multiplier: words of two halves."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ...parts.pair_multiplier import (
    BIAS,
    FIELD_BITS,
    SUM_BITS,
    PairMultiplyAccumulate,
    chain_sums,
)
from .dot_tree import DotTree, tree_latencies
from .links import chain_length, flag, link_beat, link_controls
from .packed_sums import count_width, counted_wraps, read_sums
from .words import BYTE, check_array, checked_words, group_word, memory_name, registered

HALVES = 2
"""Halves of a word: a lane multiplies a byte of each."""


class PairArray(wiring.Component):
    """Memory of INT8 words of two halves, a query, and a lane per byte of a half.

    A half is ``word_groups`` groups of ``rows`` bytes, or ``segments`` segments of
    ``segment_groups`` groups; group 0 of the first half is the least significant. Every cycle may
    present a *beat*, which reads one word:

    * dot mode: of each half, ``dot = sum over a segment of query[group] * half[group]``. The halves
      are two rows of a table.
    * weighted mode: the groups of both halves that have the same even number, and likewise those
      with the odd number after it, are two neighbouring groups of one row (the even numbers) and
      of another (:meth:`gateware.plan.layout.Layout.value_group`)::

          acc[g] (+)= coefficients[0][segment] * half[g % 2][g - g % 2]
                    + coefficients[1][segment] * half[g % 2][g - g % 2 + 1]

      ``first`` starts, ``last`` completes the accumulators; the coefficients are sampled
      ``coefficient_delay`` cycles after the beat. It overwrites the query, which is kept where the
      coefficients go.

    In a chain of multipliers each adds its products to those of the one before, a cycle later. So
    a weighted beat must not come within ``chain`` - 1 cycles after one in dot mode, nor any in the
    cycle after a weighted one that is ``last``.

    The accumulators hold their value from then to the next beat. In cycle c ``read_group`` reads
    what the beats up to ``c - weighted_latency`` left. A beat in cycle c sees the memory writes up
    to ``c - write_latency`` and the query writes up to ``c - query_write_latency``; what it sees of
    a group that is written in one of the ``chain`` cycles after those is not specified.

    Parameters
    ----------
    rows, word_groups, segments, segment_groups : int
        As of :class:`gateware.engines.array.int8_array.Int8Array`, of a half; ``segment_groups``
        is even.
    initial_words : list of int
        The memory image, one unsigned integer per word; its length is the depth.
    acc_width : int
        Bits of a weighted sum; no partial sum may need more.
    dot_width : int
        Bits of a segment's sum; no partial sum may need more.
    dsp, tree_levels_per_register, beat_registers
        As of :class:`gateware.engines.array.int8_array.Int8Array`.

    Attributes
    ----------
    chain : int
        See :func:`chain_length`.
    coefficient_delay : int
        Cycles from a weighted beat to its coefficients: 3 + ``beat_registers``.
    write_latency, query_write_latency : int
        Cycles from a write to the first beat that sees it (negative: the beat may come first): 1
        and -3, less ``beat_registers``.
    READ_LATENCY = 2
        Cycles from ``read_group`` to ``read_data``.
    weighted_latency : int
        Cycles from the last weighted beat to the first ``read_group``: 6 + ``beat_registers``.
    dot_latency, total_latency : int
        Cycles from a beat to its ``sums`` and to its ``totals``: 5 plus ``chain`` plus
        ``beat_registers`` plus :func:`~gateware.engines.array.dot_tree.tree_latencies` of the
        chains.

    Members
    -------
    beat : In(struct)
        ``valid``, ``address``, ``weighted``, ``first``, ``last`` (the latter two of weighted mode).
    coefficients : In(ArrayLayout(unsigned(8), 2 * segments))
        Those of the even groups' row, then those of the odd ones'.
    write : In(struct)
        ``valid``, ``address``, ``group``, ``data``: one group of one word, the second half's
        after those of the first. Bytes are -127 to 127.
    query_write : In(struct)
        ``valid``, ``group``, ``data``. Bytes are -127 to 127.
    dot : Out(struct)
        ``valid``, ``sums`` (of the first half's segments, then of the second's);
        ``total_valid``, ``totals`` (of all segments, for each half).
    read_group : In(range(word_groups))
    read_data : Out(ArrayLayout(signed(acc_width), rows))

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong kind or out of range.
    """

    READ_LATENCY = 2

    def __init__(
        self,
        *,
        rows: int,
        word_groups: int,
        segments: int,
        segment_groups: int,
        initial_words: list[int],
        acc_width: int,
        dot_width: int,
        dsp: str = "generic",
        tree_levels_per_register: int = 2,
        beat_registers: int = 0,
    ):
        check_array(
            dsp,
            beat_registers,
            rows=rows,
            word_groups=word_groups,
            segments=segments,
            segment_groups=segment_groups,
            acc_width=acc_width,
            dot_width=dot_width,
            tree_levels_per_register=tree_levels_per_register,
        )
        if segment_groups % 2:
            raise ValueError(f"segment_groups must be even, not {segment_groups}")
        self.lanes = word_groups * rows
        self._initial_words = checked_words(initial_words, HALVES * self.lanes * BYTE)
        self.chain = chain_length(segment_groups)
        self._rows, self._word_groups = rows, word_groups
        self._segments, self._segment_groups = segments, segment_groups
        self._acc_width, self._dot_width, self._dsp = acc_width, dot_width, dsp
        self.field_width = min(FIELD_BITS, dot_width)
        self._tree_levels_per_register = tree_levels_per_register
        sums_latency, total_latency = tree_latencies(
            segments, segment_groups // self.chain * rows, tree_levels_per_register
        )
        self._beat_registers = beat_registers
        self.coefficient_delay = 3 + beat_registers
        self.write_latency = 1 - beat_registers
        self.query_write_latency = -self.coefficient_delay
        acc_delay = self.coefficient_delay + PairMultiplyAccumulate.LATENCY
        # the accumulators are merged a cycle later, and read a cycle after `read_group`
        self.weighted_latency = acc_delay
        chain_delay = acc_delay + self.chain - 1
        self.dot_latency = chain_delay + sums_latency
        self.total_latency = chain_delay + total_latency
        address = range(len(self._initial_words))
        place = {"valid": 1, "address": address, "group": range(HALVES * word_groups)}
        group = {"data": data.ArrayLayout(signed(BYTE), rows)}
        beat = {"valid": 1, "address": address, "weighted": 1, "first": 1, "last": 1}
        query_write = {"valid": 1, "group": range(word_groups), **group}
        dot = {
            "valid": 1,
            "sums": data.ArrayLayout(signed(dot_width), HALVES * segments),
            "total_valid": 1,
            "totals": data.ArrayLayout(signed(dot_width + ceil_log2(segments)), HALVES),
        }
        super().__init__(
            {
                "beat": In(data.StructLayout(beat)),
                "coefficients": In(data.ArrayLayout(unsigned(BYTE), HALVES * segments)),
                "write": In(data.StructLayout({**place, **group})),
                "query_write": In(data.StructLayout(query_write)),
                "dot": Out(data.StructLayout(dot)),
                "read_group": In(range(word_groups)),
                "read_data": Out(data.ArrayLayout(signed(acc_width), rows)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        beat = registered(m, self.beat, self._beat_registers)
        links = [link_beat(m, beat, link) for link in range(self.chain)]
        accumulators = self._lanes(m, beat, links)
        self._read(m, beat, accumulators)
        self._dot(m, beat, accumulators)
        return m

    # cycles below count from the beat behind its registers

    @property
    def _lane_delay(self) -> int:
        """To the inputs of its lanes."""
        return self.coefficient_delay - self._beat_registers

    def _lanes(self, m: Module, beat, links) -> list[list]:
        """Accumulators of all lanes, of each group a list."""
        delay = self._lane_delay
        weighted = flag(m, beat.valid & beat.weighted, delay, "weighted_valid")
        controls = [link_controls(m, linked, i, delay) for i, linked in enumerate(links)]
        lanes: list[list] = []
        for group in range(self._word_groups):
            link = group % self.chain
            words = [
                group_word(
                    m,
                    memory_name(half, group),
                    self._initial_words,
                    half * self._word_groups + group,
                    links[link].address,
                    self.write,
                )
                for half in range(HALVES)
            ]
            written = self.query_write.valid & (self.query_write.group == group)
            segment = group // self._segment_groups
            coefficient = self.coefficients[group % 2 * self._segments + segment]
            row_lanes = []
            for row, query in enumerate(self.query_write.data):
                lane = PairMultiplyAccumulate(
                    acc_width=max(FIELD_BITS + self._acc_width, SUM_BITS),
                    dsp=self._dsp,
                    merges="merge" in controls[link],
                )
                m.submodules[f"lane{group * self._rows + row}"] = lane
                m.d.comb += [
                    lane.low.eq(words[0].word_select(row, BYTE)),
                    lane.high.eq(words[1].word_select(row, BYTE)),
                    lane.factor.eq(Mux(weighted, Cat(coefficient, 0).as_signed(), query)),
                    lane.factor_enable.eq(weighted | written),
                    lane.addend.eq(lanes[-1][row] if link else BIAS),
                ]
                m.d.comb += [getattr(lane, name).eq(c) for name, c in controls[link].items()]
                row_lanes.append(lane.acc)
            lanes.append(row_lanes)
        return lanes

    def _read(self, m: Module, beat, accumulators: list[list]):
        weighted = beat.valid & beat.weighted
        latency = self._lane_delay + PairMultiplyAccumulate.LATENCY
        clear = flag(m, weighted & beat.first, latency - 1, "clear")
        merged = flag(m, weighted & beat.last, latency + 1, "merged")
        counts = [
            [
                counted_wraps(
                    m,
                    accumulators[group][row],
                    accumulators[group + 1][row],
                    clear=clear,
                    merged=merged,
                    width=count_width(self._acc_width),
                    name=f"group{group}_row{row}",
                )
                for row in range(self._rows)
            ]
            for group in range(0, self._word_groups, 2)
        ]
        sums = read_sums(m, self.read_group, accumulators[1::2], counts, self._acc_width)
        m.d.comb += [read.eq(value) for read, value in zip(self.read_data, sums, strict=True)]

    def _dot(self, m: Module, beat, accumulators: list[list]):
        ends = [acc for rows in accumulators[self.chain - 1 :: self.chain] for acc in rows]
        fields = zip(*map(chain_sums, ends), strict=True)
        totals = []
        for half, sums in enumerate(fields):
            m.submodules[f"tree{half}"] = tree = DotTree(
                segments=self._segments,
                segment_lanes=len(ends) // self._segments,
                lane_width=self.field_width,
                dot_width=self._dot_width,
                levels_per_register=self._tree_levels_per_register,
            )
            m.d.comb += Cat(tree.lanes).eq(Cat(value[: self.field_width] for value in sums))
            for segment in range(self._segments):
                place = half * self._segments + segment
                m.d.comb += self.dot.sums[place].eq(tree.sums[segment])
            totals.append(tree.total)
        dot = beat.valid & ~beat.weighted
        delay = self.dot_latency - self._beat_registers
        valid = flag(m, dot, delay, "dot_valid")
        extra = self.total_latency - self.dot_latency
        m.d.comb += [
            self.dot.valid.eq(valid),
            self.dot.total_valid.eq(flag(m, valid, extra, "total_valid")),
            Cat(self.dot.totals).eq(Cat(totals)),
        ]
