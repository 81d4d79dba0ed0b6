"""Leaves and adders of a row of the ternary engine, one carry chain each."""

from amaranth.hdl import Cat, Mux, Value, signed
from amaranth.lib import data

from gateformer.model.contract.arith import ACT_BITS

from .weight_decoder import PairControl


class PairTerms(data.Struct):
    """What the rows share of a pair of activations: a, b and a - b.

    The last one alone in an odd number of columns has b = 0 and difference = a. ``sign`` is that
    of a once more, from a register of its own; it and not the difference's highest bit is used with
    short chains, otherwise that and not it.
    """

    a: signed(ACT_BITS)
    b: signed(ACT_BITS)
    difference: signed(ACT_BITS + 1)
    sign: 1


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


def leaf(terms: PairTerms, control: PairControl) -> Value:
    """Magnitude of a pair (see :class:`PairControl`), signed 9 bits.

    a goes to the carry chain unchanged, and 0, b, -b, b - a or -a is added to it. Each propagate
    bit is a function of six signals, so the zero is free (a - a is a constant 1 there).
    """
    return add_with_carry(terms.a, added_to_first(terms, control, ACT_BITS + 1), control.subtract)


def single_leaf(terms: PairTerms, control: PairControl) -> Value:
    """Magnitude of an unpaired column, signed 8 bits."""
    return terms.a.as_unsigned() & control.first.replicate(ACT_BITS)


def added_to_first(terms: PairTerms, control: PairControl, width: int) -> Value:
    """What a leaf adds to a, but for the carry."""
    added = Mux(
        control.first,
        Mux(control.second, terms.b, 0),
        Mux(control.second, terms.difference, terms.a),
    )
    return extend(added, width) ^ control.subtract.replicate(width)
