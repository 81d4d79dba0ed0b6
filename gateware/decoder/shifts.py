"""Rounded right shifts, the gateware side of ``model.contract.arith.round_shift``."""

from __future__ import annotations

from amaranth.hdl import C, Cat, Value


def rounded_shift(value, amount: int) -> Value:
    """``(value + 2**(amount - 1)) >> amount`` of a signed value; the value itself for 0.

    Signed, of any width that holds the result: one bit more than ``value`` always does. Raises
    TypeError if ``value`` is unsigned.
    """
    value = _checked(value)
    if amount == 0:
        return value
    extended = Cat(value, value[-1].replicate(amount)).as_signed()
    return (extended >> amount) + extended[amount - 1]


def variable_rounded_shift(value, amount) -> Value:
    """The same by an amount that is an unsigned Value.

    Twice the value is shifted, then the last bit is rounded: floor((floor(2x / 2**s) + 1) / 2) is
    floor(x / 2**s + 1/2), and one shifter serves all amounts.
    """
    doubled = Cat(C(0, 1), _checked(value)).as_signed() >> amount
    return (doubled + 1) >> 1


def _checked(value) -> Value:
    value = Value.cast(value)
    if not value.shape().signed:
        raise TypeError(f"value must be signed, not {value.shape()!r}")
    return value
