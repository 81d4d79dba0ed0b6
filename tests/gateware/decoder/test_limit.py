"""Limits by a width per number against ``arith.clamp``: every number of a few bits."""

from __future__ import annotations

import pytest
from amaranth.hdl import Module, Signal, signed

from gateformer.gateware.decoder.serial.limit import Limit
from gateformer.gateware.decoder.serial.shifts import Shifted
from gateformer.model.contract.decoder import arith
from tests.support.component_simulation import simulate


@pytest.mark.parametrize("widths", [(3,), (2, 5), (5, 2, 4), (2, 3, 4, 5, 6)])
def test_every_number_and_width(widths):
    """``beyond``: as far as its sign goes, whatever the value."""
    m = Module()
    bits = max(widths) + 2
    value, beyond, negative = Signal(signed(bits)), Signal(), Signal()
    width = Signal(range(len(widths)))
    out = Limit.of(m, Shifted(value, beyond, negative), widths, width, "limited")
    numbers = range(-(1 << bits - 1), 1 << bits - 1)
    cases = [(x, w, 0, int(x < 0)) for x in numbers for w in range(len(widths))]
    cases += [(x, w, 1, s) for x in numbers for w in range(len(widths)) for s in (0, 1)]

    async def bench(ctx):
        for cycle in range(len(cases) + Limit.LATENCY):
            if cycle >= Limit.LATENCY:
                x, w, far, sign = cases[cycle - Limit.LATENCY]
                limit = arith.limit(widths[w])
                expected = (-limit if sign else limit) if far else max(min(x, limit), -limit)
                assert ctx.get(out) == expected, (x, widths[w], far)
            for signal, number in zip(
                (value, width, beyond, negative), cases[min(cycle, len(cases) - 1)], strict=True
            ):
                ctx.set(signal, number)
            await ctx.tick()

    simulate(m, bench)
