"""Product with a constant from adders; synthesis would take a multiplier without registers."""

from __future__ import annotations

from amaranth.hdl import C, Value


def signed_digits(constant: int) -> list[int]:
    """Non-adjacent form of a constant: digits -1, 0, 1, lowest first, with the fewest non-zero."""
    digits = []
    while constant:
        digit = 2 - constant % 4 if constant % 2 else 0
        digits.append(digit)
        constant = (constant - digit) // 2
    return digits


def times(value: Value, constant: int) -> Value:
    """``value * constant``, unsigned, from one adder less than the constant has non-zero digits.

    ``value`` and ``constant`` are not negative. No latency.
    """
    places = [(place, digit) for place, digit in enumerate(signed_digits(constant)) if digit]
    if not places:
        return C(0, len(value))
    highest, _ = places.pop()  # its digit is 1
    product = value << highest
    for place, digit in reversed(places):
        term = value << place
        product = product + term if digit > 0 else product - term
    return product[: len(value) + constant.bit_length()]
