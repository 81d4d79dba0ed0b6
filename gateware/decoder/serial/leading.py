"""The highest set bit of a number: what tables of reciprocals and roots are read by."""

from __future__ import annotations

from amaranth.hdl import C, Cat, Module, Mux, Value

from ...parts.delay import delayed

LATENCY = 4


def leading(m: Module, value: Value, unit: int, name: str) -> tuple[Value, Value]:
    """Where the highest set bit of an unsigned value is, `LATENCY` (4) cycles later.

    Returns (exponent, normalized): the number of the highest ``unit`` bits with a set bit, 0 if
    there is none, of 5 bits; and the value shifted left such that they are the highest of
    ``32 * unit``, its width at most.
    """
    value = Cat(value, C(0, 32 * unit - len(value)))
    found = []
    for level in (4, 3, 2, 1, 0):
        size = unit << level
        high = value[-size:].any()
        value = Mux(high, value, Cat(C(0, size), value[:-size]))
        found.insert(0, high)
        if level != 1:
            value = delayed(m, value, 1, name=f"{name}_{level}")
            found = list(delayed(m, Cat(*found), 1, name=f"{name}_found{level}"))
    return Cat(*found), value
