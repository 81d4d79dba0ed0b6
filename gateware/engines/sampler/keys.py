"""Logits to sampling keys: distance from the best token in 1/32 octaves of probability."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from gateformer.model.contract.arith import EXP2
from gateformer.model.contract.sampling import MAX_TEMPERATURE_SHIFT, TEMPERATURE_MULT_BITS

from .logit_store import logit_layout

KEY_BITS = EXP2.INDEX_BITS
SHIFT_BITS = MAX_TEMPERATURE_SHIFT.bit_length()
DIGIT_BITS = 2
DIGITS = TEMPERATURE_MULT_BITS // DIGIT_BITS
SHIFT_STAGES = ((8, 4), (2, 4), (1, 2))
"""(unit, choices) of each stage of the shifter: 0, 8, 16 or 24, then 0, 2, 4 or 6, then 0 or 1."""


def key_layout() -> data.StructLayout:
    """The key of a token; ``last`` marks the one of token ``vocab_size - 1``."""
    return data.StructLayout({"valid": 1, "value": KEY_BITS, "last": 1})


class SamplingKeys(wiring.Component):
    """``min(((maximum - logit) * mult + half) >> shift, 511)``, as
    ``model.contract.sampling.Sampler.keys``.

    One logit per cycle; ``key`` follows ``logit`` by ``latency`` cycles. ``logit.value`` must not
    exceed ``maximum``; ``maximum``, ``mult`` and ``shift`` must be constant while keys are under
    way. No multiplier blocks: the 8-bit factor is four base-4 digits, each selects 0, 1, 2 or 3
    times the distance inside the LUTs of an adder.

    Parameters
    ----------
    logit_width : int
        Bits of a signed logit, at least 1.

    Members
    -------
    maximum : In(signed(logit_width))
    logit : In({valid: 1, value: signed(logit_width), last: 1})
    mult : In(8)
    shift : In(5)
    key : Out({valid: 1, value: 9, last: 1})
    """

    latency = 2 + DIGITS + len(SHIFT_STAGES) + 1

    def __init__(self, logit_width: int):
        self.logit_width = logit_width
        super().__init__(
            {
                "maximum": In(signed(logit_width)),
                "logit": In(logit_layout(logit_width)),
                "mult": In(TEMPERATURE_MULT_BITS),
                "shift": In(SHIFT_BITS),
                "key": Out(key_layout()),
            }
        )

    def elaborate(self, platform):
        m = Module()
        # One more bit below the point: the bit that rounds.
        doubled = Cat(Const(0, 1), self._product(m))
        quotient, overflow = self._shift(m, doubled)
        saturated = overflow | quotient[1:].all()
        rounded = (quotient[1:] + quotient[0])[:KEY_BITS]
        value = Signal(KEY_BITS, reset_less=True)
        valid, last = Signal(self.latency), Signal(self.latency)
        m.d.sync += [
            value.eq(Mux(saturated, EXP2.max_index, rounded)),
            valid.eq((valid << 1) | self.logit.valid),
            last.eq((last << 1) | self.logit.last),
        ]
        m.d.comb += [
            self.key.value.eq(value),
            self.key.valid.eq(valid[-1]),
            self.key.last.eq(last[-1]),
        ]
        return m

    def _product(self, m):
        """``(maximum - logit) * mult``: the distance, its triple, then one stage per digit."""
        width = self.logit_width
        distance = Signal(width, name="distance_0", reset_less=True)
        m.d.sync += distance.eq(self.maximum - self.logit.value)
        next_distance = Signal(width, name="distance_1", reset_less=True)
        triple = Signal(width + 2, name="triple_1", reset_less=True)
        m.d.sync += [next_distance.eq(distance), triple.eq(distance + (distance << 1))]
        product = Const(0, 0)
        for i in range(DIGITS):
            position = i * DIGIT_BITS
            distance, old_triple, old_product = next_distance, triple, product
            multiple = Signal(width + 2, name=f"multiple_{i}")
            with m.Switch(self.mult[position : position + DIGIT_BITS]):
                with m.Case(1):
                    m.d.comb += multiple.eq(distance)
                with m.Case(2):
                    m.d.comb += multiple.eq(distance << 1)
                with m.Case(3):
                    m.d.comb += multiple.eq(old_triple)
            product = Signal(width + 2 + position, name=f"product_{i}", reset_less=True)
            m.d.sync += product.eq(Cat(old_product[:position], old_product[position:] + multiple))
            if i < DIGITS - 1:
                next_distance = Signal(width, name=f"distance_{i + 2}", reset_less=True)
                triple = Signal(width + 2, name=f"triple_{i + 2}", reset_less=True)
                m.d.sync += [next_distance.eq(distance), triple.eq(old_triple)]
        return product

    def _shift(self, m, value):
        """(low ``KEY_BITS + 1`` bits of ``value >> shift``, whether any bit above is set).

        Each stage keeps only the bits that later stages can still move down, so the shifter is
        as narrow as a key; of the bits above it only their union goes on.
        """
        overflow = Const(0, 1)
        position = SHIFT_BITS
        for i, (unit, choices) in enumerate(SHIFT_STAGES):
            position -= (choices - 1).bit_length()
            kept = KEY_BITS + unit
            shifted = Signal(kept, name=f"shifted_{i}", reset_less=True)
            above = Signal(unsigned(1), name=f"overflow_{i}", reset_less=True)
            with m.Switch(self.shift[position : position + (choices - 1).bit_length()]):
                for choice in range(choices):
                    with m.Case(choice):
                        moved = value[choice * unit :]
                        m.d.sync += [
                            shifted.eq(moved[:kept]),
                            above.eq(overflow | moved[kept:].any()),
                        ]
            value, overflow = shifted, above
        return value, overflow
