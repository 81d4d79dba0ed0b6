"""Products with constants, as values and as the adders that they take."""

from __future__ import annotations

import itertools

from amaranth.hdl import Module, Signal
from hypothesis import given
from hypothesis import strategies as st

from gateformer.gateware.parts.constant_product import signed_digits, times
from tests.support.component_simulation import simulate

CONSTANTS = [0, 1, 2, 3, 5, 7, 11, 12, 23, 64, 85, 119]


@given(st.integers(0, 2**20))
def test_digits_are_the_constant_s_and_no_two_neighbours_are_used(constant):
    digits = signed_digits(constant)
    assert sum(digit * 2**place for place, digit in enumerate(digits)) == constant
    assert set(digits) <= {-1, 0, 1}
    assert not any(a and b for a, b in itertools.pairwise(digits))
    assert not digits or digits[-1] == 1


def test_product_of_every_value():
    m = Module()
    value = Signal(6)
    products = []
    for constant in CONSTANTS:
        products.append(Signal(16, name=f"times_{constant}"))
        m.d.comb += products[-1].eq(times(value, constant))
    m.d.sync += Signal().eq(1)  # the simulator wants a clock for something

    async def bench(ctx):
        for number in range(64):
            ctx.set(value, number)
            await ctx.delay(0)
            assert [ctx.get(product) for product in products] == [number * c for c in CONSTANTS]

    simulate(m, bench)
