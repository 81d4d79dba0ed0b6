"""Leaves and adders of a row for carry cells that gate or invert what they add (CCU2C of ECP5).

A leaf takes a look-up table per bit beside its chain, an adder of the tree none.
"""

from amaranth.hdl import Cat, Module, Mux, Value

from gateformer.model.contract.arith import ACT_BITS

from ...parts.carry_chain import carry_sum, gated
from .adders import PairTerms, PlainAdders
from .weight_decoder import PairControl


class GatedAdders(PlainAdders):
    """A leaf's b alone is not made of a - b here."""

    def leaf(self, m: Module, terms: PairTerms, control: PairControl, name: str) -> Value:
        width = ACT_BITS + 1
        negative = control.first & control.subtract
        added = Mux(control.second, terms.b.as_unsigned() ^ negative.replicate(ACT_BITS), 0)
        return carry_sum(
            m,
            gated(terms.a, width, control.first),
            gated(added, width),
            (control.first, control.subtract),
            name=f"{name}_sum",
        )

    def add(self, m: Module, u: Value, v: Value, signs: tuple[Value, Value], name: str) -> Value:
        return self.total(m, u, v, signs[0], len(u) + 1, f"{name}_sum")

    def total(self, m: Module, u: Value, v: Value, sign: Value, width: int, name: str) -> Value:
        x, y = gated(u, width), gated(v, width, sign)
        return carry_sum(m, x, y, (sign, sign), flips=True, name=name)

    def tripled(self, m: Module, value: Value, triple: Value, name: str) -> Value:
        doubled = gated(Cat(0, value), len(value), triple)
        return carry_sum(m, gated(value), doubled, name=name)
