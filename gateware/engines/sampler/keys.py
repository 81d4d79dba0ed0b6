"""Logits to sampling keys: distance from the best token in fractions of an octave."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ...parts.delay import delayed
from ...parts.integers import ceil_div
from ...parts.selected import selected
from .logit_store import logit_layout
from .scheme import VERSION_1, SamplingScheme

DIGIT_BITS = 2


def key_layout(scheme: SamplingScheme = VERSION_1) -> data.StructLayout:
    """The key of a token; ``last`` marks the one of token ``vocab_size - 1``."""
    return data.StructLayout({"valid": 1, "value": scheme.key_bits, "last": 1})


def shift_stages(shift_bits: int) -> list[range]:
    """Bits of the shift that each stage of the shifter takes: two, the most significant first.

    With 5 bits it shifts by 0, 8, 16 or 24, then by 0, 2, 4 or 6, then by 0 or 1.
    """
    tops = range(shift_bits, 0, -DIGIT_BITS)
    return [range(max(top - DIGIT_BITS, 0), top) for top in tops]


class SamplingKeys(wiring.Component):
    """``min(((maximum - logit) * mult + half) >> shift, 2**scheme.key_bits - 1)``, as
    ``model.contract.sampling.Sampler.keys``.

    One logit per cycle; ``key`` follows ``logit`` by ``latency`` cycles. ``logit.value`` must not
    exceed ``maximum``; ``maximum``, ``mult`` and ``shift`` must be constant while keys are under
    way. No multiplier blocks: the factor is base-4 digits, each selects 0, 1, 2 or 3 times the
    distance inside the LUTs of an adder.

    Parameters
    ----------
    logit_width : int
        Bits of a signed logit, at least 1.
    scheme : SamplingScheme

    Attributes
    ----------
    latency : int

    Members
    -------
    maximum : In(signed(logit_width))
    logit : In({valid: 1, value: signed(logit_width), last: 1})
    mult : In(scheme.mult_bits)
    shift : In(scheme.shift_bits)
    key : Out({valid: 1, value: scheme.key_bits, last: 1})
    """

    def __init__(self, logit_width: int, scheme: SamplingScheme = VERSION_1):
        self.logit_width = logit_width
        self.scheme = scheme
        self.latency = keys_latency(scheme)
        super().__init__(
            {
                "maximum": In(signed(logit_width)),
                "logit": In(logit_layout(logit_width)),
                "mult": In(scheme.mult_bits),
                "shift": In(scheme.shift_bits),
                "key": Out(key_layout(scheme)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        # One more bit below the point: the bit that rounds.
        doubled = Cat(Const(0, 1), self._product(m))
        quotient, overflow = self._shift(m, doubled)
        saturated = overflow | quotient[1:].all()
        key_bits = self.scheme.key_bits
        rounded = (quotient[1:] + quotient[0])[:key_bits]
        value = Signal(key_bits, reset_less=True)
        valid, last = Signal(self.latency), Signal(self.latency)
        m.d.sync += [
            value.eq(Mux(saturated, 2**key_bits - 1, rounded)),
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
        digits = ceil_div(self.scheme.mult_bits, DIGIT_BITS)
        for i in range(digits):
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
            if i < digits - 1:
                next_distance = Signal(width, name=f"distance_{i + 2}", reset_less=True)
                triple = Signal(width + 2, name=f"triple_{i + 2}", reset_less=True)
                m.d.sync += [next_distance.eq(distance), triple.eq(old_triple)]
        return product

    def _shift(self, m, value):
        """(low ``key_bits + 1`` bits of ``value >> shift``, whether any bit above is set).

        Each stage keeps only the bits that later stages can still move down, so the shifter is
        as narrow as a key; of the bits above it only their union goes on.
        """
        overflow = Const(0, 1)
        stages = shift_stages(self.scheme.shift_bits)
        for i, bits in enumerate(stages):
            unit = 1 << bits.start
            kept = self.scheme.key_bits + unit
            late = self.scheme.has_top_p and i == 0 and len(stages) > 1
            shifted = Signal(kept, name=f"shifted_{i}", reset_less=True)
            above = Signal(unsigned(1), name=f"overflow_{i}", reset_less=True)
            with m.Switch(self.shift[bits.start : bits.stop]):
                for choice in range(1 << len(bits)):
                    with m.Case(choice):
                        moved = value[choice * unit :]
                        m.d.sync += shifted.eq(moved[:kept])
                        if not late:
                            m.d.sync += above.eq(overflow | moved[kept:].any())
            if late:
                choice = self.shift[bits.start : bits.stop]
                above = self._late_overflow(m, value[kept:], unit, choice)
            value, overflow = shifted, above
        return value, overflow

    def _late_overflow(self, m, above, unit: int, choice):
        """Whether a bit of ``above[choice * unit :]`` is set, which the next stage takes in.

        A cycle's work is the union of each unit: with a wide product, all is more than one.
        """
        last = (1 << len(choice)) - 1
        ends = [*((i + 1) * unit for i in range(last)), len(above)]
        units = [above[i * unit : end].any() for i, end in enumerate(ends)]
        units = delayed(m, Cat(*units), 1, name="above_units")
        choice = delayed(m, choice, 1, name="above_choice")
        return selected([units[i:].any() for i in range(last + 1)], choice)


def keys_latency(scheme: SamplingScheme) -> int:
    """Cycles from a logit to its key: distance, its triple, digits, shifts, rounding."""
    digits = ceil_div(scheme.mult_bits, DIGIT_BITS)
    return 2 + digits + len(shift_stages(scheme.shift_bits)) + 1
