"""Adders in short carry chains: proved equal to the plain ones, for all operands."""

import pytest
from amaranth.back import rtlil
from amaranth.hdl import Cat, Module, Mux, Signal, signed

from gateformer.gateware.engines.ternary.adders import PairTerms, leaf
from gateformer.gateware.engines.ternary.short_chains import short_leaf, short_sum, with_copy
from gateformer.gateware.engines.ternary.weight_decoder import PairControl
from gateformer.model.support.errors import ToolError
from gateformer.platforms.support import yosys

CONTROLS = (0b0001, 0b0110, 0b0011, 0b0111, 0b0100)
"""Of a pair, but for the relative sign: a, b, a + b, a - b, 0."""


def prove_never(directory, m: Module, ports: list, wrong):
    """ToolError unless ``wrong`` is 0 for all values of the ports."""
    never = Signal(name="never")
    m.d.comb += never.eq(wrong)
    (directory / "top.il").write_text(rtlil.convert(m, name="top", ports=[*ports, never]))
    script = "read_rtlil top.il\nproc\nflatten\nopt -full\nsat -verify -prove never 0 top\n"
    yosys.run(script, directory)


def leaf_differs(m: Module, copy_differs):
    """(ports, whether the two leaves are not equal)"""
    a, b = Signal(signed(8), name="a"), Signal(signed(8), name="b")
    terms, control = Signal(PairTerms), Signal(PairControl, name="control")
    m.d.comb += [
        terms.a.eq(a),
        terms.b.eq(b),
        terms.difference.eq(a - b),
        terms.sign.eq(a[-1] ^ copy_differs),
    ]
    one_of = Cat(control.as_value()[:3] == known for known in CONTROLS).any()
    differs = short_leaf(m, terms, control, "leaf") != leaf(terms, control)
    return [a, b, control.as_value()], one_of & differs


def test_a_short_leaf_is_the_leaf(tmp_path):
    m = Module()
    prove_never(tmp_path, m, *leaf_differs(m, 0))


@pytest.mark.parametrize("width", [2, 3, 4, 5, 8, 9, 10, 11, 12, 13])
def test_a_short_sum_is_the_sum(tmp_path, width):
    m, wrong = Module(), 0
    u, sign = Signal(signed(width), name="u"), Signal()
    ports = [u, sign]
    for narrower in range(2):
        v = Signal(signed(width - narrower), name=f"v{narrower}")
        ports.append(v)
        exact = Mux(sign, u - v, u + v)[: width + 1]
        wrong |= short_sum(m, with_copy(u), with_copy(v), sign, sign, f"sum{narrower}") != exact
    prove_never(tmp_path, m, ports, wrong)


def test_a_copy_that_is_none_is_found(tmp_path):
    m, copy_differs = Module(), Signal()
    ports, wrong = leaf_differs(m, copy_differs)
    with pytest.raises(ToolError):
        prove_never(tmp_path, m, [*ports, copy_differs], wrong)
