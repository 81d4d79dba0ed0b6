"""Leaves and adders of a row of the ternary engine, one carry chain each."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data

from gateformer.model.contract.arith import ACT_BITS

from ...parts.carry_chain import add_with_carry, extend
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


class PlainAdders:
    """What a row adds with: synthesis puts what selects an operand in front of a carry's bit.

    Attributes
    ----------
    copies : bool
        Nodes of the tree have their highest bit twice.
    """

    copies = False

    def leaf(self, m: Module, terms: PairTerms, control: PairControl, name: str) -> Value:
        """Magnitude of a pair, as :func:`leaf`."""
        return leaf(terms, control)

    def add(self, m: Module, u: Value, v: Value, signs: tuple[Value, Value], name: str) -> Value:
        """``u + v``, or ``u - v`` with the sign, a bit wider than u; v is no wider. The second of
        ``signs`` is a copy."""
        return _sum(u, v, signs[0], len(u) + 1)

    def total(self, m: Module, u: Value, v: Value, sign: Value, width: int, name: str) -> Value:
        """``u + v``, or ``u - v`` with ``sign``, modulo ``2**width``; a signal."""
        total = Signal(width, name=name)
        m.d.comb += total.eq(_sum(u, v, sign, width))
        return total

    def tripled(self, m: Module, value: Value, triple: Value, name: str) -> Value:
        """``value``, or with ``triple`` three times it, modulo two to the power of its bits; a
        signal."""
        width = len(value)
        total = Signal(width, name=name)
        doubled = Cat(0, value)[:width] & triple.replicate(width)
        m.d.comb += total.eq(add_with_carry(value, doubled, Const(0, 1)))
        return total


def _sum(u: Value, v: Value, sign: Value, width: int) -> Value:
    return add_with_carry(u, extend(v, width) ^ sign.replicate(width), sign)
