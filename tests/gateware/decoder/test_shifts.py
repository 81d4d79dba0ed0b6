"""Rounded shifts against ``arith.round_shift``: every number of small widths."""

from __future__ import annotations

import numpy as np
import pytest
from amaranth.hdl import Module, Signal, signed, unsigned
from amaranth.sim import Simulator

from gateformer.gateware.decoder.shifts import rounded_shift, variable_rounded_shift
from gateformer.model.contract import arith


@pytest.mark.parametrize("width", [1, 2, 5])
def test_every_number_and_amount(width):
    """Amounts beyond the width too: what is left is 0, or 1 of the numbers that round up."""
    m = Module()
    amounts = range(width + 4)
    value, amount = Signal(signed(width)), Signal(range(len(amounts)))
    fixed = [Signal(signed(width + 1), name=f"fixed{n}") for n in amounts]
    variable = Signal(signed(width + 1))
    m.d.comb += [out.eq(rounded_shift(value, n)) for n, out in zip(amounts, fixed, strict=True)]
    m.d.comb += variable.eq(variable_rounded_shift(value, amount))

    async def bench(ctx):
        for x in range(-(1 << width - 1), 1 << width - 1):
            ctx.set(value, x)
            for n in amounts:
                ctx.set(amount, n)
                expected = int(arith.round_shift(x, n))
                assert ctx.get(fixed[n]) == expected, (x, n)
                assert ctx.get(variable) == expected, (x, n)

    simulator = Simulator(m)
    simulator.add_testbench(bench)
    simulator.run()


def test_wide_numbers_by_large_amounts():
    rng = np.random.default_rng(1)
    m = Module()
    value, amount, out = Signal(signed(62)), Signal(range(63)), Signal(signed(63))
    m.d.comb += out.eq(variable_rounded_shift(value, amount))

    async def bench(ctx):
        for x in [*rng.integers(-(2**61), 2**61, 40), 2**61 - 1, -(2**61), -1, 0]:
            for n in [0, 1, 30, 60, 61, 62, int(rng.integers(63))]:
                if abs(int(x)) + (1 << n >> 1) >= 2**63:
                    continue
                ctx.set(value, int(x))
                ctx.set(amount, n)
                assert ctx.get(out) == arith.round_shift(x, n), (x, n)

    simulator = Simulator(m)
    simulator.add_testbench(bench)
    simulator.run()


@pytest.mark.parametrize("shift", [rounded_shift, variable_rounded_shift])
def test_unsigned_numbers_are_refused(shift):
    """Their highest bit would be taken for a sign."""
    with pytest.raises(TypeError, match=r"^value must be signed, not unsigned\(4\)$"):
        shift(Signal(unsigned(4)), 2)
