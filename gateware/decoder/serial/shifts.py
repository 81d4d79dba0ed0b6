"""Rounded right shifts, the gateware side of ``model.contract.arith.round_shift``."""

from __future__ import annotations

import dataclasses

from amaranth.hdl import C, Cat, Module, Signal, Value, signed

from ...parts.delay import delayed
from ...parts.selected import selected

MOST_AMOUNT_BITS = 6
"""Of the amount of a variable shift."""


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


@dataclasses.dataclass(frozen=True)
class Shifted:
    """A shifted number, or what is left of one that does not fit.

    Attributes
    ----------
    value : Value, signed, of the asked width
    beyond : Value
        The number does not fit ``value``, which means nothing then.
    negative : Value
        Whether what was shifted is negative.
    """

    value: Value
    beyond: Value
    negative: Value


class VariableShift:
    """A rounded shift by an amount that is a signal: :data:`LATENCY` (2) cycles, one per cycle.

    Twice the value is shifted, then the last bit is rounded: floor((floor(2x / 2**s) + 1) / 2) is
    floor(x / 2**s + 1/2), and one shifter serves all amounts. It shifts by the highest bits of the
    amount first, two at a time, since after each of them fewer bits can still get into the result.
    """

    LATENCY = 2

    @classmethod
    def of(cls, m: Module, value, amount, bits: int, name: str) -> Shifted:
        """``value``, signed, shifted right by ``amount``, 0..63, in ``bits`` bits.

        Of those the highest is for the rounding: a number counts as beyond if it needs all of them,
        rounded or not.

        Raises TypeError if ``value`` is unsigned, ValueError if ``amount`` has more bits.
        """
        value, amount = _checked(value), Value.cast(amount)
        if len(amount) > MOST_AMOUNT_BITS:
            raise ValueError(f"amount must have at most {MOST_AMOUNT_BITS} bits, not {len(amount)}")
        negative = value[-1]
        doubled = Cat(C(0, 1), value).as_signed()
        low, beyond = len(amount), C(0, 1)
        while low > 2:
            high, low = low, (low - 1) // 2 * 2
            keep = bits - 1 + 2**low
            doubled, lost = _shift_by_group(doubled, amount[low:high], low, keep, negative)
            beyond = beyond | lost
        doubled = delayed(m, doubled, 1, name=f"{name}_coarse").as_signed()
        amount = delayed(m, amount[:low], 1, name=f"{name}_amount")
        beyond = delayed(m, beyond, 1, name=f"{name}_lost")
        negative = delayed(m, negative, 1, name=f"{name}_sign")
        fine, lost = _shift_by_group(doubled, amount, 0, bits, negative)
        rounded = Signal(signed(bits), reset_less=True, name=f"{name}_rounded")
        m.d.sync += rounded.eq((fine + 1) >> 1)
        return Shifted(
            rounded,
            delayed(m, beyond | lost, 1, name=f"{name}_beyond"),
            delayed(m, negative, 1, name=f"{name}_negative"),
        )


def _shift_by_group(value: Value, group: Value, low: int, keep: int, negative: Value):
    """(``value >> (group << low)`` in ``keep`` bits, whether it needs more)."""
    values, lost = [], []
    for number in range(2 ** len(group)):
        shifted = value >> (number << low)
        missing = max(keep - len(shifted), 0)
        kept = Cat(shifted[:keep], negative.replicate(missing))
        values.append(kept.as_signed())
        above = shifted[keep - 1 :]
        lost.append((above ^ negative.replicate(len(above))).any())
    if len(values) == 1:
        return values[0], lost[0]
    return selected(values, group).as_signed(), selected(lost, group)


def _checked(value) -> Value:
    value = Value.cast(value)
    if not value.shape().signed:
        raise TypeError(f"value must be signed, not {value.shape()!r}")
    return value
