"""One of many values by its number: every number of values."""

from __future__ import annotations

import pytest
from amaranth.hdl import C, Module, Signal
from amaranth.sim import Simulator
from amaranth.utils import ceil_log2

from gateformer.gateware.parts.selected import selected


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 13])
def test_the_value_of_every_index(count):
    m = Module()
    index, out = Signal(ceil_log2(count)), Signal(8)
    m.d.comb += out.eq(selected([C(i * 7 + 1, 8) for i in range(count)], index))

    async def bench(ctx):
        for i in range(count):
            ctx.set(index, i)
            assert ctx.get(out) == i * 7 + 1

    simulator = Simulator(m)
    simulator.add_testbench(bench)
    simulator.run()
