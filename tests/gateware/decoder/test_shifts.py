"""Rounded shifts against ``arith.round_shift``: every number of small widths."""

from __future__ import annotations

import numpy as np
import pytest
from amaranth.hdl import Module, Signal, signed, unsigned
from amaranth.sim import Simulator

from gateformer.gateware.decoder.serial.shifts import VariableShift, rounded_shift
from gateformer.model.contract import arith
from tests.support.component_simulation import simulate


@pytest.mark.parametrize("width", [1, 2, 5])
def test_every_number_and_amount(width):
    """Amounts beyond the width too: what is left is 0, or 1 of the numbers that round up."""
    m = Module()
    amounts = range(width + 4)
    value = Signal(signed(width))
    fixed = [Signal(signed(width + 1), name=f"fixed{n}") for n in amounts]
    m.d.comb += [out.eq(rounded_shift(value, n)) for n, out in zip(amounts, fixed, strict=True)]

    async def bench(ctx):
        for x in range(-(1 << width - 1), 1 << width - 1):
            ctx.set(value, x)
            for n in amounts:
                assert ctx.get(fixed[n]) == int(arith.round_shift(x, n)), (x, n)

    simulator = Simulator(m)
    simulator.add_testbench(bench)
    simulator.run()


def variable(width: int, amount_bits: int, bits: int, cases) -> None:
    """Numbers and amounts one after the other: the result, or that it is beyond ``bits``."""
    m = Module()
    value, amount = Signal(signed(width)), Signal(amount_bits)
    shifted = VariableShift.of(m, value, amount, bits, "shifted")

    async def bench(ctx):
        for cycle in range(len(cases) + VariableShift.LATENCY):
            if cycle >= VariableShift.LATENCY:
                x, n = cases[cycle - VariableShift.LATENCY]
                expected = int(arith.round_shift(x, n))
                assert ctx.get(shifted.negative) == (x < 0)
                if not ctx.get(shifted.beyond):
                    assert ctx.get(shifted.value) == expected, (x, n)
                elif abs(expected) < 2 ** (bits - 2):
                    raise AssertionError(f"{x} >> {n} = {expected} is not beyond {bits} bits")
            x, n = cases[min(cycle, len(cases) - 1)]
            ctx.set(value, int(x))
            ctx.set(amount, int(n))
            await ctx.tick()

    simulate(m, bench)


@pytest.mark.parametrize("width", [1, 2, 5, 7])
@pytest.mark.parametrize("amount_bits", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("bits", [2, 3, 6, 9])
def test_every_number_by_a_variable_amount(width, amount_bits, bits):
    numbers = range(-(1 << width - 1), 1 << width - 1)
    variable(width, amount_bits, bits, [(x, n) for x in numbers for n in range(1 << amount_bits)])


@pytest.mark.parametrize("bits", [10, 34, 63])
def test_wide_numbers_by_large_amounts(bits):
    rng = np.random.default_rng(1)
    numbers = [*rng.integers(-(2**61), 2**61, 40) >> rng.integers(0, 60, 40)]
    numbers += [2**61 - 1, -(2**61), -1, 0]
    amounts = [0, 1, 30, 60, 61, 62]
    cases = [(int(x), int(n)) for x in numbers for n in [*amounts, rng.integers(63)]]
    variable(62, 6, bits, [(x, n) for x, n in cases if abs(x) + (1 << n >> 1) < 2**63])


def test_unsigned_numbers_are_refused():
    """Their highest bit would be taken for a sign."""
    for shift in (rounded_shift, lambda x, n: VariableShift.of(Module(), x, n, 4, "x")):
        with pytest.raises(TypeError, match=r"^value must be signed, not unsigned\(4\)$"):
            shift(Signal(unsigned(4)), 2)


def test_an_amount_of_too_many_bits_is_refused():
    with pytest.raises(ValueError, match=r"^amount must have at most 6 bits, not 7$"):
        VariableShift.of(Module(), Signal(signed(4)), Signal(7), 4, "x")
