"""RoPE: pairs of numbers turned by the angle of their position."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from gateformer.model.contract.decoder import arith

from ..parts.delay import delayed
from .shifts import rounded_shift

TURN_BITS = arith.ROTARY_BITS + 2


class Rotation(wiring.Component):
    """``(a c - b s, b c + a s)`` of a and b that come one after the other.

    One number per cycle.

    Parameters
    ----------
    bits : int, of queries, and of keys before they are turned
    key_bits : int, of keys as they are kept

    Attributes
    ----------
    FIRST = 5, SECOND = 6 : cycles from the second number to the first and second result

    Members
    -------
    value : In(signed(bits)); first, second : In(1), it is that of a pair; key : In(1), a key's
    cos, sin : In(signed(16)), with the second number
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
        # with b there, a is a register; a cycle later both are, for the second result
        a = Signal(signed(self._bits), reset_less=True)
        with m.If(self.first):
            m.d.sync += a.eq(self.value)
        second = delayed(m, self.second, 1, name="late")
        a_late, b_late = delayed(m, a, 1, name="a_late"), delayed(m, self.value, 1, name="b_late")
        first_factor, other_factor = (
            Signal(signed(self._bits + 1), reset_less=True, name=n) for n in ("x", "y")
        )
        cos, sin, key = (
            delayed(m, Mux(second, delayed(m, v, 1, name=f"{n}_kept"), v), 1, name=n)
            for v, n in ((self.cos, "cos"), (self.sin, "sin"), (self.key, "key"))
        )
        with m.If(second):
            m.d.sync += [first_factor.eq(b_late.as_signed()), other_factor.eq(a_late.as_signed())]
        with m.Else():
            m.d.sync += [first_factor.eq(a), other_factor.eq(-self.value)]
        products = [
            Signal(signed(self._bits + 1 + TURN_BITS), reset_less=True, name=n)
            for n in ("xc", "ys")
        ]
        m.d.sync += [
            products[0].eq(first_factor * cos.as_signed()),
            products[1].eq(other_factor * sin.as_signed()),
        ]
        total = Signal(signed(self._bits + TURN_BITS + 2), reset_less=True)
        m.d.sync += total.eq(products[0] + products[1])
        key = delayed(m, key, 2, name="key_late")
        rounded = Signal(signed(len(total)), reset_less=True)
        for_keys = arith.ROTARY_BITS + self._bits - self._key_bits
        m.d.sync += rounded.eq(
            Mux(key, rounded_shift(total, for_keys), rounded_shift(total, arith.ROTARY_BITS))
        )
        key = delayed(m, key, 1, name="key_last")
        limit = Signal(range(1 << max(self._bits, self._key_bits)))
        m.d.comb += limit.eq(Mux(key, arith.limit(self._key_bits), arith.limit(self._bits)))
        m.d.sync += self.turned.eq(
            Mux(rounded > limit, limit, Mux(rounded < -limit, -limit, rounded))
        )
        return m
