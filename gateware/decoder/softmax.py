"""Softmax of contract version 2: scores in 1/256 octaves, probabilities of 15 bits."""

from __future__ import annotations

from amaranth.hdl import Array, C, Cat, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from gateformer.model.contract.decoder import arith

from ..parts.delay import delayed
from ..parts.loadable_memory import BLOCK
from ..parts.registered_read import COLLISION_FREE, registered_read
from ..parts.selected import selected
from .serial import leading

DISTRIBUTED_DEPTH = 128
LUT_INPUTS = 6


class DecoderSoftmax(wiring.Component):
    """Probabilities of all segments in parallel, an attention after the other.

    First a beat per position, positions in any order, brings the segments' products of query and
    key, of which ``round_shift(product, score_shift)`` is the score; then a weighted beat for each
    of these positions reads its score back and gives ``exp2(max - score)``, while their sum is
    kept; then the reciprocal of any segment's sum may be asked for. Beats may have gaps; ``first``
    is that of the first beat of each kind.

    Parameters
    ----------
    segments : int
    ctx_len : int, positions
    score_shifts : sequence of int, those that the model has, 0..40
    sum_width : int, bits of a product, signed
    dot_latency : int, cycles from a beat to its ``sums``

    Attributes
    ----------
    COEFFICIENT_DELAY = 6 : cycles from a weighted beat to its coefficients
    maximum_latency = dot_latency + 3 : cycles from the last beat with sums to the first weighted
        one, at least; beats with sums may follow the last weighted one at once
    RECIPROCAL_GAP = 7 : cycles from the last weighted beat to ``segment``, at least
    RECIPROCAL_LATENCY = 7 : cycles from ``segment`` to ``reciprocal`` and ``exponent``
    TOTAL_KEPT = 6 : cycles from the first weighted beat of the next attention in which ``segment``
        still gets the sums of this one

    Members
    -------
    beat : In(struct), ``valid``, ``weighted``, ``position``, ``first``
    score_shift : In(range(max(score_shifts) + 1)), with a beat, one of ``score_shifts``
    sums : In(ArrayLayout(signed(sum_width), segments)), ``dot_latency`` cycles after the beat
    coefficients : Out(ArrayLayout(unsigned(15), segments))
    segment : In(range(segments))
    reciprocal : Out(unsigned(17)), the contract's r of the segment's sum
    exponent : Out, its e, floor(log2(sum))
    """

    COEFFICIENT_DELAY = 6
    RECIPROCAL_GAP = COEFFICIENT_DELAY + 1
    RECIPROCAL_LATENCY = leading.LATENCY + 3
    TOTAL_KEPT = COEFFICIENT_DELAY

    def __init__(self, *, segments: int, ctx_len: int, score_shifts, sum_width, dot_latency: int):
        self._segments, self._ctx_len = segments, ctx_len
        self._shifts = sorted(set(score_shifts))
        self._score_width = max(sum_width - self._shifts[0], 1) + 1
        self._dot_latency = dot_latency
        self.maximum_latency = dot_latency + 3
        self._total_width = (arith.PROBABILITY_MAX * ctx_len).bit_length()
        p = unsigned(arith.PROBABILITY_MAX.bit_length())
        super().__init__(
            {
                "beat": In(
                    data.StructLayout(
                        {"valid": 1, "weighted": 1, "position": range(ctx_len), "first": 1}
                    )
                ),
                "score_shift": In(range(self._shifts[-1] + 1)),
                "sums": In(data.ArrayLayout(signed(sum_width), segments)),
                "coefficients": Out(data.ArrayLayout(p, segments)),
                "segment": In(range(segments)),
                "reciprocal": Out(arith.RECIPROCAL_BITS + 1),
                "exponent": Out(range(self._total_width)),
            }
        )

    @staticmethod
    def mean_width(value_bits: int) -> int:
        """Bits of ``round_shift(sum(p * v) * reciprocal, 8 + exponent)``, signed: 256 times the
        mean of numbers v within ±limit(value_bits), by at most 2**-11 of it too large."""
        return value_bits + arith.MEAN_V_BITS + 1

    def elaborate(self, platform):
        m = Module()
        layout = data.ArrayLayout(signed(self._score_width), self._segments)
        style = "distributed" if self._ctx_len <= DISTRIBUTED_DEPTH else "block"
        m.submodules.scores = scores = Memory(
            shape=layout, depth=self._ctx_len, init=[], attrs={"ram_style": style, **COLLISION_FREE}
        )
        stored = registered_read(m, scores, self.beat.position, "stored")
        stored = data.View(layout, delayed(m, stored, 1, name="stored"))
        cycles = self._dot_latency
        dot = self.beat.valid & ~self.beat.weighted
        dot = delayed(m, dot, cycles + 2, reset_less=False, name="dot_valid")
        first = delayed(m, self.beat.first, cycles + 2, name="dot_first")
        shift = Cat(self.score_shift == amount for amount in self._shifts)
        shift = delayed(m, shift, cycles, name="dot_shift")
        write = scores.write_port()
        m.d.comb += [
            write.en.eq(dot),
            write.addr.eq(delayed(m, self.beat.position, cycles + 2, name="dot_position")),
        ]
        weigh = self.beat.valid & self.beat.weighted
        weigh = delayed(m, weigh, self.COEFFICIENT_DELAY, reset_less=False, name="weigh_valid")
        anew = delayed(m, self.beat.first, self.COEFFICIENT_DELAY, name="weigh_first")
        totals = []
        for i in range(self._segments):
            score = Signal(signed(self._score_width), reset_less=True, name=f"score{i}")
            m.d.sync += score.eq(self._shifted(m, self.sums[i], shift, f"segment{i}"))
            maximum = Signal.like(score, reset_less=True, name=f"maximum{i}")
            with m.If(dot & (first | (score > maximum))):
                m.d.sync += maximum.eq(score)
            m.d.comb += write.data[i].eq(score)
            p = self._exp2(m, maximum, stored[i], f"segment{i}")
            m.d.comb += self.coefficients[i].eq(p)
            total = Signal(self._total_width, reset_less=True, name=f"total{i}")
            with m.If(weigh):
                m.d.sync += total.eq(Mux(anew, 0, total) + p)
            totals.append(total)
        self._reciprocal(m, totals)
        return m

    def _shifted(self, m: Module, value, shift, name: str):
        """Rounded; twice the shifted value is a register, a cycle earlier."""
        doubled = Signal(signed(self._score_width + 1), reset_less=True, name=f"{name}_doubled_dot")
        found = (value << 1) >> self._shifts[0]
        for place, amount in enumerate(self._shifts[1:], 1):
            found = Mux(shift[place], (value << 1) >> amount, found)
        m.d.sync += doubled.eq(found)
        return (doubled + 1) >> 1

    def _exp2(self, m: Module, maximum, score, name: str):
        """Of ``maximum - score``, 4 cycles later."""
        distance = Signal(self._score_width, reset_less=True, name=f"{name}_distance")
        mantissa = Signal(range(arith.PROBABILITY_MAX + 1), reset_less=True, name=f"{name}_m")
        octave = Signal(range(arith.EXP2_OCTAVES), reset_less=True, name=f"{name}_octave")
        far = Signal(reset_less=True, name=f"{name}_far")
        p = Signal(len(mantissa), reset_less=True, name=f"{name}_p")
        table = [C(int(v), len(mantissa)) for v in arith.exp2_mantissas()]
        bits, size = arith.EXP2_FRAC_BITS, 2**LUT_INPUTS
        # a register behind each part of the table that is a look-up table per bit
        parts = [
            delayed(
                m, Array(table[at : at + size])[distance[:LUT_INPUTS]], 1, name=f"{name}_part{at}"
            )
            for at in range(0, len(table), size)
        ]
        which = delayed(m, distance[LUT_INPUTS:bits], 1, name=f"{name}_which")
        octaves = distance[bits : bits + len(octave)]
        doubled = (mantissa << 1) >> octave
        m.d.sync += [
            distance.eq(maximum - score),
            far.eq(distance[bits + len(octave) :].any()),
            mantissa.eq(Mux(far, 0, selected(parts, which))),
            octave.eq(delayed(m, octaves, 1, name=f"{name}_octaves")),
            p.eq((doubled + 1) >> 1),
        ]
        return p

    def _reciprocal(self, m: Module, totals: list):
        total = delayed(m, selected(totals, self.segment), 1, name="total")
        exponent, normalized = leading.leading(m, total, 1, "leading")
        # below the leading one
        top = len(normalized) - 1
        index = normalized[top - arith.RECIPROCAL_INDEX_BITS : top]
        m.submodules.reciprocals = table = Memory(
            shape=unsigned(len(self.reciprocal)),
            depth=2**arith.RECIPROCAL_INDEX_BITS,
            init=[int(r) for r in arith.reciprocal_table()],
            attrs={**BLOCK, **COLLISION_FREE},
        )
        reciprocal = registered_read(m, table, index, "reciprocal")
        m.d.comb += [
            self.reciprocal.eq(delayed(m, reciprocal, 1, name="late_reciprocal")),
            self.exponent.eq(delayed(m, exponent, 2, name="exponent")),
        ]
