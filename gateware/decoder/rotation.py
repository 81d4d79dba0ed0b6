"""RoPE: pairs of numbers turned by the angle of their position."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from gateformer.model.contract.decoder import arith

from ..parts.delay import delayed
from .shifts import rounded_shift

TURN_BITS = arith.ROTARY_BITS + 2
"""Of a cosine or sine, ±2**14."""


class Rotation(wiring.Component):
    """``(a c - b s, b c + a s)`` of a and b that come one after the other, rounded and limited.

    A number per cycle; others may come between pairs, and between the two of a pair.

    Parameters
    ----------
    bits : int, of queries, and of keys before they are turned: signed, 8..16
    key_bits : int, of keys as they are kept: 8..16

    Attributes
    ----------
    FIRST = 5, SECOND = 6 : cycles from the second number to the first and second result

    Members
    -------
    value : In(signed(bits)), within ±limit(bits)
    first, second : In(1), with ``value``: it is a; it is b
    key : In(1), with b: results are shifted by 14 + bits - key_bits and limited to key_bits, else
        by 14 and to bits
    cos, sin : In(signed(16)), with b: ±2**14
    turned : Out(signed(max(bits, key_bits)))
    """

    FIRST, SECOND = 5, 6

    def __init__(self, *, bits: int, key_bits: int):
        self._bits, self._key_bits = bits, key_bits
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
        by_cos = Signal(signed(len(straight) + arith.ROTARY_BITS), reset_less=True)
        by_sin = Signal(signed(len(crossed) + arith.ROTARY_BITS), reset_less=True)
        total = Signal(signed(len(by_cos) + 1), reset_less=True)
        m.d.sync += [
            by_cos.eq(straight * cos),
            by_sin.eq(crossed * sin),
            total.eq(by_cos + by_sin),
        ]
        key = delayed(m, key, 2, name="key_late")
        rounded = Signal(signed(len(total)), reset_less=True)
        for_keys = arith.ROTARY_BITS + self._bits - self._key_bits
        m.d.sync += rounded.eq(
            Mux(key, rounded_shift(total, for_keys), rounded_shift(total, arith.ROTARY_BITS))
        )
        key = delayed(m, key, 1, name="key_last")
        limit = Signal(range(1 << max(self._bits, self._key_bits) - 1))
        m.d.comb += limit.eq(Mux(key, arith.limit(self._key_bits), arith.limit(self._bits)))
        m.d.sync += self.turned.eq(
            Mux(rounded > limit, limit, Mux(rounded < -limit, -limit, rounded))
        )
        return m
