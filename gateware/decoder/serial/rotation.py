"""RoPE: pairs of numbers turned by the angle of their position."""

from __future__ import annotations

from amaranth.hdl import C, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from gateformer.model.contract.decoder import arith

from ...parts.delay import delayed
from ...parts.multiplier import Multiplier
from .limit import Limit
from .shifts import Shifted

TURN_BITS = arith.ROTARY_BITS + 2
"""Of a cosine or sine, ±2**14."""


class Rotation(wiring.Component):
    """``(a c - b s, b c + a s)`` of a and b that come one after the other, rounded and limited.

    A number per cycle; others may come between pairs, and between the two of a pair.

    Parameters
    ----------
    bits : int, of queries, and of keys before they are turned: signed, 8..16
    key_bits : int, of keys as they are kept: 8..16
    dsp : str
        One of :data:`gateware.parts.multiplier.DSP_FAMILIES`.

    Attributes
    ----------
    FIRST = 9, SECOND = 10 : cycles from the second number to the first and second result

    Members
    -------
    value : In(signed(bits)), within ±limit(bits)
    first, second : In(1), with ``value``: it is a; it is b
    key : In(1), with b: results are shifted by 14 + bits - key_bits and limited to key_bits, else
        by 14 and to bits
    cos, sin : In(signed(16)), with b: ±2**14
    turned : Out(signed(max(bits, key_bits)))
    """

    FIRST = 1 + 2 * Multiplier.LATENCY + Limit.LATENCY
    SECOND = FIRST + 1

    def __init__(self, *, bits: int, key_bits: int, dsp: str = "generic"):
        self._bits, self._key_bits, self._dsp = bits, key_bits, dsp
        super().__init__(
            {
                "value": In(signed(bits)),
                "first": In(1),
                "second": In(1),
                "key": In(1),
                "cos": In(signed(TURN_BITS)),
                "sin": In(signed(TURN_BITS)),
                "turned": Out(signed(max(bits, key_bits))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        a = Signal(signed(self._bits), reset_less=True)
        with m.If(self.first):
            m.d.sync += a.eq(self.value)
        # with b there, a is a register; a cycle later both are, for the second result
        second = delayed(m, self.second, 1, name="late")
        a_late = delayed(m, a, 1, name="a_late")
        b_late = delayed(m, self.value, 1, name="b_late")
        # of numbers within ±limit the negative fits, and a product with ±2**14
        straight = Signal(signed(self._bits), reset_less=True)
        crossed = Signal(signed(self._bits), reset_less=True)
        m.d.sync += [
            straight.eq(Mux(second, b_late, a)),
            crossed.eq(Mux(second, a_late, -self.value)),
        ]
        cos, sin, key = (
            delayed(m, Mux(second, delayed(m, value, 1, name=f"{name}_kept"), value), 1, name=name)
            for value, name in ((self.cos, "cos"), (self.sin, "sin"), (self.key, "key"))
        )
        for_keys = arith.ROTARY_BITS + self._bits - self._key_bits
        half = Mux(key, 1 << for_keys - 1, 1 << arith.ROTARY_BITS - 1)
        m.submodules.by_cos = by_cos = self._multiplier()
        m.submodules.by_sin = by_sin = self._multiplier()
        wait = Multiplier.LATENCY
        m.d.comb += [
            by_cos.a.eq(straight),
            by_cos.b.eq(cos),
            by_cos.addend.eq(half),
            by_sin.a.eq(delayed(m, crossed, wait, name="crossed_late")),
            by_sin.b.eq(delayed(m, sin, wait, name="sin_late")),
            by_sin.addend.eq(by_cos.product),
        ]
        key = delayed(m, key, 2 * wait, name="key_late")
        total, bits = by_sin.product, max(self._bits, self._key_bits) + 2
        rounded = Signal(signed(bits))
        m.d.comb += rounded.eq(Mux(key, total >> for_keys, total >> arith.ROTARY_BITS))
        shifted = Shifted(rounded, C(0, 1), rounded[-1])
        widths = (self._bits, self._key_bits)
        m.d.comb += self.turned.eq(Limit.of(m, shifted, widths, key, "limited"))
        return m

    def _multiplier(self) -> Multiplier:
        return Multiplier(a_width=self._bits, b_width=TURN_BITS, dsp=self._dsp)
