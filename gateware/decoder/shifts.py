"""Rounded right shifts, the gateware side of ``model.contract.arith.round_shift``."""

from __future__ import annotations

from amaranth.hdl import C, Cat, Value


def rounded_shift(value, amount: int) -> Value:
    """``(value + 2**(amount - 1)) >> amount`` of a signed value; the value itself for 0."""
    value = Value.cast(value)
    if amount == 0:
        return value
    extended = Cat(value, value[-1].replicate(amount + 1)).as_signed()
    return (extended >> amount) + extended[amount - 1]


def variable_rounded_shift(value, amount) -> Value:
    """The same by an amount that is a Value: twice the value is shifted, then the last bit halved.

    floor((floor(2x / 2**s) + 1) / 2) is floor(x / 2**s + 1/2).
    """
    doubled = Cat(C(0, 1), value).as_signed() >> amount
    return (doubled + 1) >> 1
