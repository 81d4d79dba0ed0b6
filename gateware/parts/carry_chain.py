"""Sums whose selection happens in the look-up tables of their carry chain."""

from __future__ import annotations

from amaranth.hdl import Cat, Value


def add_with_carry(u: Value, v: Value, carry: Value) -> Value:
    """``u + v + carry`` for signed u and v, modulo ``2**len(v)``, as one carry chain.

    The signals of u are the data input of the chain. Yosys gives it the narrower operand, so the
    top bit of u is moved into that of v (there is no carry out of it). Operands as wide as each
    other would be ordered by when their names were first seen, which depends on the depth of the
    hierarchy, and v in that place costs one more look-up table per bit.
    """
    u = extend(u, len(v))
    return (u[:-1] + Cat(v[:-1], v[-1] ^ u[-1]) + carry)[: len(v)]


def extend(value: Value, width: int) -> Value:
    """The lowest ``width`` bits of a signed value, whatever its own width."""
    bits = Cat(value, value[-1].replicate(max(width - len(value), 0)))
    return bits[:width]
