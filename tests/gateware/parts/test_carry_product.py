"""Products in carry chains: exact for all factors, and in place of a block in a lane."""

import re

import numpy as np
import pytest
from amaranth.back import rtlil
from amaranth.hdl import Module, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from gateformer.gateware.parts import registered_product
from gateformer.gateware.parts.carry_product import product_cells, registered_carry_product

from .gate_simulation import GateSimulator


class Product(wiring.Component):
    def __init__(self, a_width, b_width):
        ports = {"a": In(signed(a_width)), "b": In(signed(b_width))}
        super().__init__({**ports, "product": Out(signed(a_width + b_width))})

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.product.eq(registered_carry_product(m, self.a, self.b))
        return m


@pytest.mark.parametrize(("a_width", "b_width"), [(9, 8), (5, 6), (2, 2), (1, 4), (8, 10)])
def test_product_of_all_factors(tmp_path, a_width, b_width):
    """With the latency of other registered products, one after the other."""
    a, b = (np.arange(-(2 ** (width - 1)), 2 ** (width - 1)) for width in (a_width, b_width))
    a, b = np.repeat(a, len(b)), np.tile(b, len(a))
    simulator = GateSimulator(Product(a_width, b_width), ["ecp5_carry.v"], tmp_path, len(a))
    for step in range(registered_product.LATENCY + 2):
        # other factors in every cycle
        simulator.set(a=np.roll(a, step), b=np.roll(b, step))
        simulator.settle()
        if step >= registered_product.LATENCY:
            then = step - registered_product.LATENCY
            assert (simulator.get("product") == np.roll(a * b, then)).all()
        simulator.tick()


@pytest.mark.parametrize(("a_width", "b_width"), [(9, 8), (5, 6), (2, 2), (8, 10)])
def test_cells_are_counted(a_width, b_width):
    """Place and route adds one for each constant that enters a chain."""
    text = rtlil.convert(Product(a_width, b_width), name="top")
    constants = re.findall(r"connect \\CIN 1'[01]$", text, re.M)
    assert text.count("cell \\CCU2C ") + len(constants) == product_cells(a_width, b_width)


def test_rows_come_in_pairs():
    with pytest.raises(ValueError, match=r"^b must have an even number of bits, not 3$"):
        Product(4, 3).elaborate(None)
