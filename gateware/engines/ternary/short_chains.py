"""Leaves and adders of a row for carry primitives of four bits (CARRY4): none begun for less.

The highest bit of the sum of two numbers of n bits needs no carry: where their signs are equal it
is that sign, elsewhere the bit below it. That is one look-up table, where a chain whose n bits fill
its primitives would take four sites more. Likewise the lowest bit of an odd one is left out of the
chain, and what it carries is a look-up table.

Numbers here have their highest bit twice, and signs a copy. Otherwise synthesis would see that two
look-up tables have an input or two in common, and share one, which could not be that of a carry's
bit any more: it would take a site of its own.
"""

from amaranth.hdl import Cat, Module, Mux, Signal, Value

from gateformer.model.contract.arith import ACT_BITS

from ...parts.carry_chain import add_with_carry, extend
from .adders import PairTerms, PlainAdders, added_to_first
from .weight_decoder import PairControl

CARRY_BITS = 4
"""Of a carry primitive."""


def short_leaf(m: Module, terms: PairTerms, control: PairControl, name: str) -> Value:
    """Magnitude of a pair, as :func:`.adders.leaf`.

    Of a + b and a - b alone the highest bit is not the one below it.
    """
    total = Signal(ACT_BITS, name=f"{name}_chain")
    added = added_to_first(terms, control, ACT_BITS)
    m.d.comb += total.eq(add_with_carry(terms.a, added, control.subtract))
    different = terms.sign ^ terms.b[-1] ^ control.subtract
    narrow = different | ~(control.first & control.second)
    return Cat(total, Mux(narrow, total[-1], terms.sign))


def with_copy(value: Value) -> Value:
    """``value`` with its highest bit twice."""
    return Cat(value, value[-1])


def short_sum(m: Module, u: Value, v: Value, sign: Value, copy: Value, name: str) -> Value:
    """``u + v``, or ``u - v`` with ``sign``, a bit wider than u; v is no wider.

    u and v have their highest bit twice, the sum has not; ``copy`` equals ``sign``.
    """
    width = len(u) - 1
    over = width % CARRY_BITS
    added = extend(v[:-1], width) ^ sign.replicate(width)
    different = v[-1] ^ copy
    if over > 1:
        return add_with_carry(u, Cat(added, different), sign)
    low, carry = u[:over], sign
    if over == 1:
        low, carry = u[0] ^ v[0], Mux(sign, u[0] | ~v[0], u[0] & v[0])
    high = Signal(width - over, name=f"{name}_chain")
    m.d.comb += high.eq(add_with_carry(u[over:width], added[over:], carry))
    return Cat(low, high, Mux(u[-1] ^ different, high[-1], u[-1]))


class ShortAdders(PlainAdders):
    """Those of the tree; its nodes have copies of their highest bits."""

    copies = True

    def leaf(self, m: Module, terms: PairTerms, control: PairControl, name: str) -> Value:
        return short_leaf(m, terms, control, name)

    def add(self, m: Module, u: Value, v: Value, signs: tuple[Value, Value], name: str) -> Value:
        return short_sum(m, u, v, *signs, name)
