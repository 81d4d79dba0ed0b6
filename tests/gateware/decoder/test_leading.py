"""The highest set bit, of every place and of 0."""

from __future__ import annotations

import pytest
from amaranth.hdl import Module, Signal

from gateformer.gateware.decoder.serial import leading
from tests.support.component_simulation import simulate


@pytest.mark.parametrize("unit", [1, 2])
@pytest.mark.parametrize("width", [1, 2, 7, 31])
def test_exponent_and_normalized(unit, width):
    m = Module()
    value = Signal(unit * width)
    exponent, normalized = leading.leading(m, value, unit, "leading")
    highest = [1 << i for i in range(unit * width)]
    cases = [0, *highest, *(h | h >> 1 | h >> 3 for h in highest), (1 << unit * width) - 1]

    async def bench(ctx):
        for cycle in range(len(cases) + leading.LATENCY):
            if cycle >= leading.LATENCY:
                case = cases[cycle - leading.LATENCY]
                place = max(case.bit_length() - 1, 0) // unit
                assert ctx.get(exponent) == place
                assert ctx.get(normalized) == case << unit * (31 - place)
            ctx.set(value, cases[min(cycle, len(cases) - 1)])
            await ctx.tick()

    simulate(m, bench)
