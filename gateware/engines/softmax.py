"""Softmax of the attention scores: running maximum, exponential table, sum and reciprocal."""

from __future__ import annotations

from amaranth.hdl import Array, C, Cat, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from gateformer.model.contract import arith

from ..parts.delay import delayed
from ..parts.integers import ceil_div
from ..parts.registered_read import COLLISION_FREE, registered_read

DISTRIBUTED_DEPTH = 128
"""Score memories up to this depth are built of LUTs, deeper ones of block memory."""
LUT_INPUTS = 6
"""Address bits of the parts of a constant table."""


class Softmax(wiring.Component):
    """Attention weights of all segments in parallel, by :class:`model.contract.arith.Softmax`.

    First one dot-mode beat per position brings the segments' ``q . k`` (on ``sums``,
    ``dot_latency`` cycles after the beat): the score of each position is stored and the maximum
    kept. Then one weighted beat per position reads the score back and gives the coefficient
    ``exp2(max - score)``, ``coefficient_delay`` cycles after the beat, while their sum is kept.
    With ``positions_per_beat`` 2 both kinds of beats are for two positions each. Any beat may
    follow any other without a gap, save that the first weighted beat must be at least
    ``maximum_latency`` cycles after the last dot-mode beat.

    Parameters
    ----------
    segments : int
        Heads computed in parallel.
    ctx_len : int
        Positions of the score memory.
    shifts : tuple of int
        The shifts of the model's :class:`model.contract.arith.Softmax` objects; ``shift_select`` is
        an index into it.
    dot_width : int
        Bits of a sum.
    dot_latency : int
        Cycles from a dot-mode beat to its sums.
    table_registers : int
        Registers inside each of the two tables, 0 or 1.
    positions_per_beat : int
        1 or 2.

    Attributes
    ----------
    coefficient_delay : int
        Cycles from a weighted beat to its coefficients: 3 + ``table_registers``.
    maximum_latency : int
        Cycles from the last dot-mode beat to the first weighted beat: ``dot_latency + 1``.
    reciprocal_latency : int
        Cycles from the last weighted beat to its reciprocals: 7 + 2 * ``table_registers``.
    reciprocal_width, division_shift : int
        ``arith.Softmax.divide`` is ``(acc * reciprocal + half) >> division_shift``, saturated.

    Members
    -------
    beat : In(struct)
        ``valid``, ``weighted``, ``position``, ``first`` (dot mode: forget the maximum; weighted:
        forget the sum), ``last`` (last position; not needed here). With ``positions_per_beat`` 2,
        ``position`` is the pair's number, and ``single`` says that its second is no position: then
        the second coefficient is 0.
    shift_select : In(range(len(shifts)))
        Sampled with each dot-mode beat.
    sums : In(ArrayLayout(signed(dot_width), positions_per_beat * segments))
        The segments of the first position, then those of the second.
    coefficients : Out(ArrayLayout(unsigned(8), positions_per_beat * segments))
    reciprocal : Out(ArrayLayout(unsigned(reciprocal_width), segments))
        In cycle c of the weighted beats up to cycle ``c - reciprocal_latency``: held until the
        next weighted beat gets that far.

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong kind or out of range.
    """

    def __init__(
        self,
        *,
        segments: int,
        ctx_len: int,
        shifts: tuple[int, ...],
        dot_width: int,
        dot_latency: int,
        table_registers: int = 0,
        positions_per_beat: int = 1,
    ):
        sizes = {"segments": segments, "ctx_len": ctx_len, "dot_width": dot_width}
        for name, value in (sizes | {"dot_latency": dot_latency}).items():
            if not isinstance(value, int) or isinstance(value, bool):
                raise TypeError(f"{name} must be an integer, not {value!r}")
            if value < (name != "dot_latency"):
                raise ValueError(f"{name} must be at least {int(name in sizes)}, not {value!r}")
        if positions_per_beat not in (1, 2):
            raise ValueError(f"positions_per_beat must be 1 or 2, not {positions_per_beat!r}")
        if not shifts:
            raise ValueError("shifts must have at least 1 shift, not 0")
        self._softmax = [arith.Softmax(shift) for shift in shifts]
        self._segments, self._ctx_len = segments, ctx_len
        self._places = positions_per_beat * segments
        self._words = ceil_div(ctx_len, positions_per_beat)
        self._dot_latency = dot_latency
        self._score_width = max(_score_width(dot_width, shift) for shift in shifts)
        max_sum = int(arith.EXP2.table[0]) * ctx_len
        self._sum_width = max_sum.bit_length()
        self._max_exponent = self._sum_width - 1
        self.reciprocal_width = (
            int(self._softmax[0].table.max()).bit_length()
            + self._max_exponent
            - arith.Softmax.MIN_EXPONENT
        )
        self.division_shift = arith.Softmax.RECIPROCAL_BITS + self._max_exponent
        self.maximum_latency = dot_latency + 1
        self._table_registers = table_registers
        self.coefficient_delay = 3 + table_registers
        self.reciprocal_latency = self.coefficient_delay + 4 + table_registers
        beat = {"valid": 1, "weighted": 1, "position": range(self._words), "first": 1, "last": 1}
        if positions_per_beat == 2:
            beat["single"] = 1
        super().__init__(
            {
                "beat": In(data.StructLayout(beat)),
                "shift_select": In(range(len(shifts))),
                "sums": In(data.ArrayLayout(signed(dot_width), self._places)),
                "coefficients": Out(data.ArrayLayout(unsigned(arith.EXP2.OUT_BITS), self._places)),
                "reciprocal": Out(data.ArrayLayout(unsigned(self.reciprocal_width), segments)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        scores, maxima = self._scores(m)
        valid = self.beat.valid & self.beat.weighted
        delay = self.coefficient_delay
        valid = delayed(m, valid, delay, reset_less=False, name="weighted_valid")
        first = delayed(m, self.beat.first, delay, name="weighted_first")
        probabilities = []
        for i, score in enumerate(scores):
            segment, second = i % self._segments, i >= self._segments
            name = f"segment{segment}" + "_second" * second
            single = self.beat.single if second else None
            p = self._exponential(m, score, maxima[segment], single, name)
            m.d.comb += self.coefficients[i].eq(p)
            probabilities.append(p)
        for i in range(self._segments):
            total = Signal(self._sum_width, reset_less=True, name=f"sum{i}")
            with m.If(valid):
                added = sum(probabilities[i :: self._segments])
                m.d.sync += total.eq(Mux(first, 0, total) + added)
            m.d.comb += self.reciprocal[i].eq(self._reciprocal(m, total, f"segment{i}"))
        return m

    def _scores(self, m: Module):
        """(scores of the beat's positions, 1 cycle after the beat; maximum of each segment)."""
        layout = data.ArrayLayout(signed(self._score_width), self._places)
        style = "distributed" if self._words <= DISTRIBUTED_DEPTH else "block"
        m.submodules.scores = scores = memory.Memory(
            shape=layout,
            depth=self._words,
            init=[],
            attrs={"ram_style": style, **COLLISION_FREE},
        )
        write = scores.write_port()
        stored = registered_read(m, scores, self.beat.position, "stored")
        cycles = self._dot_latency
        valid = self.beat.valid & ~self.beat.weighted
        valid = delayed(m, valid, cycles, reset_less=False, name="dot_valid")
        first = delayed(m, self.beat.first, cycles, name="dot_first")
        position = delayed(m, self.beat.position, cycles, name="dot_position")
        select = delayed(m, self.shift_select, cycles, name="dot_select")
        m.d.comb += [
            write.en.eq(valid),
            write.addr.eq(position),
        ]
        m.d.comb += [
            write.data[i].eq(self._rounded(self.sums[i], select)) for i in range(self._places)
        ]
        # a cycle later than the memory, in time for the distance of the first position
        valid_late = delayed(m, valid, 1, reset_less=False, name="score_valid")
        first_late = delayed(m, first, 1, name="score_first")
        maxima = []
        for i in range(self._segments):
            score = Signal(signed(self._score_width), reset_less=True, name=f"score{i}")
            maximum = Signal.like(score, reset_less=True, name=f"maximum{i}")
            m.d.sync += score.eq(self._larger(m, i, write.data))
            with m.If(valid_late & (first_late | (score > maximum))):
                m.d.sync += maximum.eq(score)
            maxima.append(maximum)
        return [stored[i] for i in range(self._places)], maxima

    def _larger(self, m: Module, segment: int, rounded):
        """The larger score of a segment in this beat."""
        if self._places == self._segments:
            return rounded[segment]
        second = segment + self._segments
        single = delayed(m, self.beat.single, self._dot_latency, name=f"dot_single{segment}")
        # of what is rounded, beside the rounding: that keeps the order
        larger = ~single & (self.sums[second] > self.sums[segment])
        return Mux(larger, rounded[second], rounded[segment])

    def _rounded(self, dot, select):
        """``arith.round_shift`` by the shift that is selected: one adder, behind the selection."""
        kept, halves = zip(*(_shifted(dot, s.shift) for s in self._softmax), strict=True)
        return Array(kept)[select] + Array(halves)[select]

    def _exponential(self, m: Module, score, maximum, single, name: str):
        """``exp2(maximum - score)``, 2 cycles later, and one per register of the table.

        0 if ``single``, a cycle before the score.
        """
        exp2 = arith.EXP2
        distance = Signal(self._score_width, reset_less=True, name=f"{name}_distance")
        p = Signal(exp2.OUT_BITS, reset_less=True, name=f"{name}_p")
        table = [int(value) for value in exp2.table]
        m.d.sync += distance.eq(maximum - score)
        far = distance[exp2.INDEX_BITS :].any()
        entry = self._look_up(m, table, distance[: exp2.INDEX_BITS], exp2.OUT_BITS, name)
        # `far` beside the table, not before it
        far = delayed(m, far, self._table_registers, name=f"{name}_far")
        probability = Mux(far, table[exp2.max_index], entry)
        if single is not None:
            single = delayed(m, single, 2 + self._table_registers, name=f"{name}_single")
            probability = Mux(single, 0, probability)
        m.d.sync += p.eq(probability)
        return p

    def _look_up(self, m: Module, table: list[int], index, width: int, name: str):
        """Entry of a constant table, after ``table_registers``.

        It is made of parts of as many entries as a LUT holds, with the registers behind them.
        """
        low = index[:LUT_INPUTS]
        parts = Cat(
            Array(C(value, width) for value in table[first : first + 2**LUT_INPUTS])[low]
            for first in range(0, len(table), 2**LUT_INPUTS)
        )
        stages = self._table_registers
        parts = delayed(m, parts, stages, name=f"{name}_parts")
        part = delayed(m, index[LUT_INPUTS:], stages, name=f"{name}_part")
        return parts.word_select(part, width)

    def _reciprocal(self, m: Module, total, name: str):
        """``r << (max_exponent - e)`` of a sum of p, 3 cycles and ``table_registers`` later."""
        contract = self._softmax[0]
        low, high = contract.MIN_EXPONENT, self._max_exponent
        index = Signal(contract.INDEX_BITS, reset_less=True, name=f"{name}_index")
        shift = Signal(range(high - low + 1), reset_less=True, name=f"{name}_shift")
        mantissa = Signal(
            range(int(contract.table.max()) + 1), reset_less=True, name=f"{name}_mantissa"
        )
        stages = 1 + self._table_registers
        mantissa_shift = delayed(m, shift, stages, name=f"{name}_mantissa_shift")
        reciprocal = Signal(self.reciprocal_width, reset_less=True, name=f"{name}_reciprocal")
        for e in range(low, high + 1):
            # the highest set bit is the last one whose statement counts
            below = (total << contract.INDEX_BITS)[e : e + contract.INDEX_BITS]
            with m.If(total[e]):
                m.d.sync += [index.eq(below), shift.eq(high - e)]
        table = [int(value) for value in contract.table]
        m.d.sync += [
            mantissa.eq(self._look_up(m, table, index, len(mantissa), f"{name}_reciprocal")),
            reciprocal.eq(mantissa << mantissa_shift),
        ]
        return reciprocal


def _score_width(dot_width: int, shift: int) -> int:
    """Bits of a rounded score: rounding up may need one more than the bits that are kept."""
    return max(dot_width - shift, 1) + (shift > 0)


def _shifted(dot, shift: int):
    """(what is left of the shift, the highest bit shifted out)."""
    if shift == 0:
        return dot, C(0, 1)
    extended = Cat(dot, dot[-1].replicate(shift + 1))
    return extended[shift : max(len(dot), shift + 1)].as_signed(), extended[shift - 1]
