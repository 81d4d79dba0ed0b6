"""Leaves and adders of a row for carry cells that gate or invert what they add (CCU2C of ECP5).

A leaf takes a look-up table per bit beside its chain, an adder of the tree none.
"""

from amaranth.hdl import Cat, Module, Mux, Value

from gateformer.model.contract.arith import ACT_BITS

from ...parts.carry_cells import carry_sum, gated
from .adders import PairTerms
from .weight_decoder import PairControl


def gated_leaf(m: Module, terms: PairTerms, control: PairControl, name: str) -> Value:
    """Magnitude of a pair, as :func:`.adders.leaf` but for b alone, which is not made of a - b."""
    width = ACT_BITS + 1
    negative = control.first & control.subtract
    added = Mux(control.second, terms.b.as_unsigned() ^ negative.replicate(ACT_BITS), 0)
    return carry_sum(
        m,
        gated(terms.a, width, control.first),
        gated(added, width),
        (control.first, control.subtract),
        name=name,
    )


def gated_sum(m: Module, u: Value, v: Value, sign: Value, width: int, name: str) -> Value:
    """``u + v``, or ``u - v`` with ``sign``, modulo ``2**width``."""
    v = gated(v, width, sign)
    return carry_sum(m, gated(u, width), v, (sign, sign), flips=True, name=name)


def three_times(m: Module, value: Value, triple: Value, name: str) -> Value:
    """``value``, or with ``triple`` three times it, modulo two to the power of its bits."""
    doubled = gated(Cat(0, value), len(value), triple)
    return carry_sum(m, gated(value), doubled, name=name)
