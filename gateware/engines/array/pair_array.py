"""INT8 array with two products per multiplier: what two rows of a table have with one query."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ...parts.delay import delayed
from ...parts.group_memory import GroupMemory
from ...parts.integers import check_least
from ...parts.multiplier import check_dsp
from ...parts.pair_multiplier import (
    BIAS,
    FIELD_BITS,
    MAX_CHAIN,
    SUM_BITS,
    PairMultiplyAccumulate,
    chain_sums,
)
from .dot_tree import DotTree, tree_latencies
from .words import BYTE, check_sizes, checked_words, read_accumulators

HALVES = 2
"""Halves of a word: a lane multiplies a byte of each."""


def chain_length(segment_groups: int) -> int:
    """Lanes whose products one accumulator adds up: the most that divide a segment's groups."""
    return max(n for n in range(1, MAX_CHAIN + 1) if segment_groups % n == 0)


class PairArray(wiring.Component):
    """Memory of INT8 words of two halves, a query, and a lane per byte of a half.

    A half is ``word_groups`` groups of ``rows`` bytes, or ``segments`` segments of
    ``segment_groups`` groups; group 0 of the first half is the least significant. Every cycle may
    present a *beat*, which reads one word:

    * dot mode: ``dot = sum over a segment of query[lane] * memory[address][half][lane]``, for each
      half and segment, after the beat.
    * weighted mode: ``acc[lane] (+)= coefficients[segment] * memory[address][0][lane]``, the
      coefficients being sampled ``coefficient_delay`` cycles after the beat. It overwrites the
      query, which is kept where the coefficients go.

    The accumulators hold their value from one weighted beat to the next dot-mode beat. Groups of a
    segment whose numbers leave the same rest of ``chain`` form a link of a chain of multipliers:
    each adds its products to those of the link before, a cycle later. So a weighted beat must not
    come within ``chain`` - 1 cycles after one in dot mode.

    In cycle c ``read_group`` reads the accumulators as the beats up to cycle
    ``c - weighted_latency`` left them. A beat in cycle c sees the memory writes up to cycle
    ``c - write_latency`` and the query writes up to cycle ``c - query_write_latency``; what it
    sees of a group that is written in one of the ``chain`` cycles after those is not specified.

    Parameters
    ----------
    rows, word_groups, segments, segment_groups : int
        As of :class:`gateware.engines.array.int8_array.Int8Array`, of a half.
    initial_words : list of int
        The memory image, one unsigned integer per word; its length is the depth.
    paired_words : int
        So many words, from the first on, have a second half; of the others it is not specified.
    acc_width : int
        Bits of an accumulator that are read.
    dot_width : int
        Bits of a segment's sum; no partial sum may need more.
    halves : bool
        Adds ``beat.second``, with which weighted mode takes the second half, and its products are
        ``2**FIELD_BITS`` times as large (``acc_width`` must hold them).
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
        Cycles from the last weighted beat to the first ``read_group``: 5 + ``beat_registers``.
    dot_latency, total_latency : int
        Cycles from a beat to its ``sums`` and to its ``totals``: 5 plus ``chain`` plus
        ``beat_registers`` plus :func:`~gateware.engines.array.dot_tree.tree_latencies` of the
        chains.

    Members
    -------
    beat : In(struct)
        ``valid``, ``address``, ``weighted``, ``first`` (weighted mode: start the accumulators).
    coefficients : In(ArrayLayout(unsigned(8), segments))
    write : In(struct)
        ``valid``, ``address``, ``group``, ``data``: one group of one word, the second half's
        after those of the first. Bytes of the second half are -127 to 127.
    query_write : In(struct)
        ``valid``, ``group``, ``data``. Query bytes are -127 to 127.
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
        paired_words: int,
        acc_width: int,
        dot_width: int,
        halves: bool = False,
        dsp: str = "generic",
        tree_levels_per_register: int = 2,
        beat_registers: int = 0,
    ):
        check_sizes(
            rows=rows,
            word_groups=word_groups,
            segments=segments,
            segment_groups=segment_groups,
            paired_words=paired_words,
            acc_width=acc_width,
            dot_width=dot_width,
            tree_levels_per_register=tree_levels_per_register,
        )
        check_least("beat_registers", beat_registers, 0)
        check_dsp(dsp)
        if word_groups != segments * segment_groups:
            raise ValueError(
                f"word_groups must be segments * segment_groups ({segments * segment_groups}), "
                f"not {word_groups}"
            )
        self.lanes = word_groups * rows
        self._initial_words = checked_words(initial_words, HALVES * self.lanes * BYTE)
        if paired_words > len(self._initial_words):
            raise ValueError(
                f"paired_words must be at most {len(self._initial_words)}, not {paired_words}"
            )
        self.chain = chain_length(segment_groups)
        self._rows, self._word_groups = rows, word_groups
        self._segments, self._segment_groups = segments, segment_groups
        self._paired_words, self._halves = paired_words, halves
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
        self.weighted_latency = acc_delay - (self.READ_LATENCY - 1)
        chain_delay = acc_delay + self.chain - 1
        self.dot_latency = chain_delay + sums_latency
        self.total_latency = chain_delay + total_latency
        address = range(len(self._initial_words))
        second = {"second": 1} if halves else {}
        group = {"data": data.ArrayLayout(signed(BYTE), rows)}
        total = signed(dot_width + ceil_log2(segments))
        dot = {
            "valid": 1,
            "sums": data.ArrayLayout(signed(dot_width), HALVES * segments),
            "total_valid": 1,
            "totals": data.ArrayLayout(total, HALVES),
        }
        super().__init__(
            {
                "beat": In(
                    data.StructLayout(
                        {"valid": 1, "address": address, "weighted": 1, "first": 1, **second}
                    )
                ),
                "coefficients": In(data.ArrayLayout(unsigned(BYTE), segments)),
                "write": In(
                    data.StructLayout(
                        {
                            "valid": 1,
                            "address": address,
                            "group": range(HALVES * word_groups),
                            **group,
                        }
                    )
                ),
                "query_write": In(
                    data.StructLayout({"valid": 1, "group": range(word_groups), **group})
                ),
                "dot": Out(data.StructLayout(dot)),
                "read_group": In(range(word_groups)),
                "read_data": Out(data.ArrayLayout(signed(acc_width), rows)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        beat = self.beat
        for i in range(self._beat_registers):
            register = Signal.like(beat, name=f"beat_{i + 1}")
            m.d.sync += register.eq(beat)
            beat = register
        links = [self._link_beat(m, beat, link) for link in range(self.chain)]
        lanes = self._lanes(m, beat, links)
        rows, width = self._rows, self._acc_width
        accumulators = [lane.acc for lane in lanes]
        m.d.comb += self.read_data.eq(
            read_accumulators(m, accumulators, self.read_group, rows, width)
        )
        self._dot(m, beat, accumulators)
        return m

    # cycles below count from the beat behind its registers

    def _link_beat(self, m: Module, beat, link: int):
        """The beat as a link of the chain has it: in dot mode ``link`` cycles later."""
        if link == 0:
            return beat
        late = beat
        for i in range(link):
            register = Signal.like(beat, name=f"link{link}_{i + 1}", reset_less=True)
            m.d.sync += register.eq(late)
            late = register
        valid = delayed(
            m, beat.valid & ~beat.weighted, link, reset_less=False, name=f"link{link}_valid"
        )
        now = beat.valid & beat.weighted
        linked = Signal.like(beat, name=f"link{link}")
        m.d.comb += [
            linked.eq(Mux(now, beat, late)),
            linked.valid.eq(now | valid),
            linked.weighted.eq(now),
        ]
        return linked

    def _lanes(self, m: Module, beat, links) -> list[PairMultiplyAccumulate]:
        delay = self.coefficient_delay - self._beat_registers
        weighted = delayed(
            m, beat.valid & beat.weighted, delay, reset_less=False, name="weighted_valid"
        )
        factors = self._factors(weighted)
        controls = [self._controls(m, linked, f"link{i}") for i, linked in enumerate(links)]
        lanes = []
        for group in range(self._word_groups):
            link = group % self.chain
            words = [self._memory(m, half, group, links[link].address) for half in range(HALVES)]
            written = self.query_write.valid & (self.query_write.group == group)
            for row in range(self._rows):
                lane = PairMultiplyAccumulate(
                    acc_width=max(self._acc_width, SUM_BITS), dsp=self._dsp, halves=self._halves
                )
                m.submodules[f"lane{len(lanes)}"] = lane
                before = lanes[-self._rows].acc if link else BIAS
                m.d.comb += [
                    lane.low.eq(words[0].word_select(row, BYTE)),
                    lane.high.eq(words[1].word_select(row, BYTE)),
                    lane.factor.eq(factors[group // self._segment_groups][row]),
                    lane.factor_enable.eq(weighted | written),
                    lane.addend.eq(before),
                ]
                m.d.comb += [getattr(lane, name).eq(c) for name, c in controls[link].items()]
                lanes.append(lane)
        return lanes

    def _factors(self, weighted) -> list[list]:
        """What each row of each segment takes for its factor."""
        return [
            [
                Mux(weighted, Cat(self.coefficients[segment], 0).as_signed(), query)
                for query in self.query_write.data
            ]
            for segment in range(self._segments)
        ]

    def _controls(self, m: Module, beat, name: str) -> dict:
        """Control inputs of a link's lanes."""
        delay = self.coefficient_delay - self._beat_registers
        weighted = delayed(m, beat.weighted, delay, name=f"{name}_weighted")
        first = delayed(m, beat.first, delay, name=f"{name}_first")
        enable = delayed(m, beat.valid, delay, reset_less=False, name=f"{name}_enable")
        controls = {
            "use_high": ~weighted,
            "chain": ~weighted,
            "accumulate": weighted & ~first,
            "enable": enable,
        }
        if self._halves:
            second = delayed(m, beat.second, delay, name=f"{name}_second")
            controls["use_low"] = ~weighted | ~second
            controls["use_high"] = ~weighted | second
        return controls

    def _memory(self, m: Module, half: int, group: int, address):
        """A group of the word at ``address``, 2 cycles later."""
        count = self._paired_words if half else len(self._initial_words)
        width, number = self._rows * BYTE, half * self._word_groups + group
        words = [word >> width * number & (1 << width) - 1 for word in self._initial_words[:count]]
        block = GroupMemory(groups=1, group_width=width, initial_words=words, ram_style="block")
        m.submodules[memory_name(half, group)] = block
        m.d.comb += [
            block.address.eq(address),
            block.write.valid.eq(self.write.valid & (self.write.group == number)),
            block.write.address.eq(self.write.address),
            Cat(block.write.data).eq(Cat(self.write.data)),
        ]
        return block.word

    def _dot(self, m: Module, beat, accumulators: list):
        ends = [
            accumulators[first + row]
            for first in range(0, self.lanes, self._rows)
            for row in range(self._rows)
            if first // self._rows % self.chain == self.chain - 1
        ]
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
        valid = delayed(m, dot, delay, reset_less=False, name="dot_valid")
        extra = self.total_latency - self.dot_latency
        m.d.comb += [
            self.dot.valid.eq(valid),
            self.dot.total_valid.eq(delayed(m, valid, extra, reset_less=False, name="total_valid")),
            Cat(self.dot.totals).eq(Cat(totals)),
        ]


def memory_name(half: int, group: int) -> str:
    """Name of the memory of that group of a half's words."""
    return f"memory{half}_{group}"
