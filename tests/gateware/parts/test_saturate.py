"""Symmetric saturation against ``model.contract.arith``, exhaustively."""

from __future__ import annotations

import pytest
from amaranth.hdl import Module, Signal, signed
from amaranth.sim import Simulator

from gateformer.gateware.parts.saturate import Saturation, saturated
from gateformer.model.contract import arith


@pytest.mark.parametrize("width", [4, 7, 8, 9, 11])
def test_equals_the_contract(width):
    m = Module()
    value, relu, result = Signal(signed(width)), Signal(), Signal(signed(8))
    other, both = Signal(signed(8)), Signal(signed(8))
    swap = Signal()
    limited = Saturation(value, 8)
    m.d.comb += [
        result.eq(saturated(value, 8)),
        both.eq(limited.rectified(relu).unless(swap, Saturation(other, 8)).result),
    ]

    async def bench(ctx):
        ctx.set(other, -77)
        for x in range(-(1 << width - 1), 1 << width - 1):
            ctx.set(value, x)
            low = int(arith.saturate(x, -arith.ACT_MAX, arith.ACT_MAX))
            assert ctx.get(result) == low
            for enable in (0, 1):
                ctx.set(relu, enable)
                ctx.set(swap, 0)
                assert ctx.get(both) == (max(low, 0) if enable else low)
                ctx.set(swap, 1)
                assert ctx.get(both) == -77

    sim = Simulator(m)
    sim.add_testbench(bench)
    sim.run()


@pytest.mark.parametrize("width, shifts", [(13, (2, 5)), (12, (0, 1)), (13, (1, 9)), (9, (4, 4))])
def test_a_choice_of_shifts_equals_the_contract(width, shifts):
    m = Module()
    value, second, result = Signal(signed(width)), Signal(), Signal(signed(5))
    limited = Saturation.of_either(m, value, shifts, second, 5, 0, "choice")
    m.d.comb += result.eq(limited.result)

    async def bench(ctx):
        for x in range(-(1 << width - 1), 1 << width - 1):
            ctx.set(value, x)
            for choice, shift in enumerate(shifts):
                ctx.set(second, choice)
                assert ctx.get(result) == int(arith.saturate(x >> shift, -15, 15))

    sim = Simulator(m)
    sim.add_testbench(bench)
    sim.run()
