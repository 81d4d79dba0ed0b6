"""INT8 array: embeddings, K and V in block memory, one word per cycle through a row of lanes."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from gateformer.model.contract import arith

from ...parts.delay import delayed
from ...parts.group_memory import GroupMemory
from ...parts.multiplier import MultiplyAccumulate
from .dot_tree import DotTree, tree_latencies
from .words import BYTE, check_array, checked_words, read_accumulators, registered


class Int8Array(wiring.Component):
    """Memory of INT8 words, query registers and a multiply-accumulate lane per byte of a word.

    A word is ``word_groups`` groups of ``rows`` bytes, or ``segments`` segments of
    ``segment_groups`` groups; lane 0 is the least significant byte. Every cycle may present a
    *beat*, which reads one word and starts (``first``) or continues the lanes' accumulators:

    * dot mode: ``acc[lane] (+)= query[query_word][lane] * memory[address][lane]``. The sums of
      ``acc`` over each segment appear on ``dot`` after the beat marked ``last``.
    * weighted mode: ``acc[lane] (+)= coefficients[segment] * memory[address][lane]``, the
      coefficients being sampled ``coefficient_delay`` cycles after the beat.

    Both modes use the same accumulators, which hold their value between beats. In cycle c
    ``read_group`` reads them as the beats up to cycle ``c - weighted_latency`` left them, later
    beats do not disturb it. A beat in cycle c sees the memory writes up to cycle
    ``c - write_latency`` and the query writes up to cycle ``c - query_write_latency``;
    what it sees of a group that is written in just the cycle after those is not specified.

    Parameters
    ----------
    rows : int
        Bytes per group.
    word_groups : int
        Groups per word; ``segments * segment_groups``.
    segments, segment_groups : int
    query_words : int
        Words of the query registers, and the most beats of one dot product.
    initial_words : list of int
        The memory image, one unsigned integer per word; its length is the depth.
    acc_width : int
        Bits of a lane's accumulator; sums wrap around.
    dot_width : int
        Bits of a segment's sum; no partial sum may need more.
    dsp : str
        Multiplier family, see :class:`~gateware.parts.multiplier.MultiplyAccumulate`.
    tree_levels_per_register : int
        Adder levels between two registers of the trees.
    beat_registers : int
        Registers between ``beat`` and the memory, for a long way there.

    Attributes
    ----------
    coefficient_delay : int
        Cycles from a weighted beat to its coefficients: 3 + ``beat_registers``.
    write_latency, query_write_latency : int
        Cycles from a write to the first beat that sees it (-1: the beat may come first): 1 and -1,
        less ``beat_registers``.
    READ_LATENCY = 2
        Cycles from ``read_group`` to ``read_data``.
    weighted_latency : int
        Cycles from the last weighted beat to the first ``read_group``: 5 + ``beat_registers``.
    dot_latency, total_latency : int
        Cycles from the last beat of a dot product to its ``sums`` and to its ``total``: 6 plus
        ``beat_registers`` plus :func:`~gateware.engines.array.dot_tree.tree_latencies` (9 and 9 for
        2 segments of 32 lanes and no ``beat_registers``).

    Members
    -------
    beat : In(struct)
        ``valid``, ``address``, ``weighted``, ``query_word``, ``first``, ``last``; ``query_word``
        and ``last`` are ignored in weighted mode.
    coefficients : In(ArrayLayout(unsigned(8), segments))
    write : In(struct)
        ``valid``, ``address``, ``group``, ``data``: one group of one word.
    query_write : In(struct)
        ``valid``, ``word``, ``group``, ``data``. Query bytes are -127 to 127
        (:data:`model.contract.arith.ACT_MAX`).
    dot : Out(struct)
        ``valid``, ``sums`` (one per segment); ``total_valid``, ``total`` (of all segments).
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
        query_words: int,
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
            query_words=query_words,
            acc_width=acc_width,
            dot_width=dot_width,
            tree_levels_per_register=tree_levels_per_register,
        )
        self.lanes = word_groups * rows
        self._initial_words = checked_words(initial_words, self.lanes * BYTE)
        self._rows, self._word_groups = rows, word_groups
        self._segment_lanes = segment_groups * rows
        self._query_words = query_words
        self._acc_width = acc_width
        self._dsp = dsp
        # |query| <= 127 saves the bit that only -128 * -128 needs
        product_width = arith.signed_width(arith.ACT_MAX * 2 ** (BYTE - 1))
        self._lane_width = min(product_width + ceil_log2(query_words), dot_width)
        self._segments, self._dot_width = segments, dot_width
        self._tree_levels_per_register = tree_levels_per_register
        sums_latency, total_latency = tree_latencies(
            segments, self._segment_lanes, tree_levels_per_register
        )
        self._beat_registers = beat_registers
        self.coefficient_delay = 3 + beat_registers
        self.write_latency = 1 - beat_registers
        self.query_write_latency = -1 - beat_registers
        acc_delay = self.coefficient_delay + MultiplyAccumulate.LATENCY
        self.weighted_latency = acc_delay - (self.READ_LATENCY - 1)
        self.dot_latency = acc_delay + sums_latency
        self.total_latency = acc_delay + total_latency
        address, word = range(len(self._initial_words)), range(query_words)
        group = {"group": range(word_groups), "data": data.ArrayLayout(signed(BYTE), rows)}
        beat = {"valid": 1, "address": address, "weighted": 1, "query_word": word}
        dot = {
            "valid": 1,
            "sums": data.ArrayLayout(signed(dot_width), segments),
            "total_valid": 1,
            "total": signed(dot_width + ceil_log2(segments)),
        }
        super().__init__(
            {
                "beat": In(data.StructLayout({**beat, "first": 1, "last": 1})),
                "coefficients": In(data.ArrayLayout(unsigned(BYTE), segments)),
                "write": In(data.StructLayout({"valid": 1, "address": address, **group})),
                "query_write": In(data.StructLayout({"valid": 1, "word": word, **group})),
                "dot": Out(data.StructLayout(dot)),
                "read_group": In(range(word_groups)),
                "read_data": Out(data.ArrayLayout(signed(acc_width), rows)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        beat = registered(m, self.beat, self._beat_registers)
        accumulators = self._lanes(m, beat, self._memory(m, beat), self._queries(m, beat))
        m.d.comb += self.read_data.eq(
            read_accumulators(m, accumulators, self.read_group, self._rows, self._acc_width)
        )
        self._dot(m, beat, accumulators)
        return m

    # cycles below count from the beat behind its registers

    def _memory(self, m: Module, beat):
        """The beat's word, 2 cycles after the beat."""
        m.submodules.memory = block = GroupMemory(
            groups=self._word_groups,
            group_width=self._rows * BYTE,
            initial_words=self._initial_words,
            ram_style="block",
        )
        m.d.comb += [block.address.eq(beat.address), block.write.eq(self.write)]
        return block.word

    def _queries(self, m: Module, beat):
        """The beat's query word, 3 cycles after the beat."""
        if self._query_words == 1:
            return self._query_registers(m)
        m.submodules.queries = block = GroupMemory(
            groups=self._word_groups,
            group_width=self._rows * BYTE,
            initial_words=[0] * self._query_words,
            ram_style="distributed",
        )
        m.d.comb += [
            block.address.eq(delayed(m, beat.query_word, 2, name="query_word")),
            block.write.eq(self.query_write),
        ]
        return block.word

    def _query_registers(self, m: Module):
        # written a cycle late, so that the latency is that of the memory
        valid = delayed(m, self.query_write.valid, 1, reset_less=False, name="query_valid")
        target = delayed(m, self.query_write.group, 1, name="query_group")
        value = delayed(m, self.query_write.data, 1, name="query_data")
        query = Signal(self.lanes * BYTE, reset_less=True)
        for group in range(self._word_groups):
            with m.If(valid & (target == group)):
                m.d.sync += query.word_select(group, self._rows * BYTE).eq(value)
        return query

    def _lanes(self, m: Module, beat, word, query) -> list:
        """Accumulators of all lanes, 6 cycles after the beat."""
        delay = self.coefficient_delay - self._beat_registers
        valid = delayed(m, beat.valid, delay, reset_less=False, name="valid")
        weighted = delayed(m, beat.weighted, delay, name="weighted")
        first = delayed(m, beat.first, delay, name="first")
        accumulators = []
        for i in range(self.lanes):
            lane = MultiplyAccumulate(
                acc_width=max(self._acc_width, self._lane_width), dsp=self._dsp
            )
            m.submodules[f"lane{i}"] = lane
            m.d.comb += [
                lane.memory.eq(word.word_select(i, BYTE)),
                lane.query.eq(query.word_select(i, BYTE)),
                lane.coefficient.eq(self.coefficients[i // self._segment_lanes]),
                lane.use_coefficient.eq(weighted),
                lane.accumulate.eq(~first),
                lane.enable.eq(valid),
            ]
            accumulators.append(lane.acc)
        return accumulators

    def _dot(self, m: Module, beat, accumulators: list):
        m.submodules.tree = tree = DotTree(
            segments=self._segments,
            segment_lanes=self._segment_lanes,
            lane_width=self._lane_width,
            dot_width=self._dot_width,
            levels_per_register=self._tree_levels_per_register,
        )
        last = beat.valid & beat.last & ~beat.weighted
        delay = self.dot_latency - self._beat_registers
        valid = delayed(m, last, delay, reset_less=False, name="dot_valid")
        extra = self.total_latency - self.dot_latency
        m.d.comb += [
            Cat(tree.lanes).eq(Cat(acc[: self._lane_width] for acc in accumulators)),
            self.dot.valid.eq(valid),
            self.dot.sums.eq(tree.sums),
            self.dot.total_valid.eq(delayed(m, valid, extra, reset_less=False, name="total_valid")),
            self.dot.total.eq(tree.total),
        ]
