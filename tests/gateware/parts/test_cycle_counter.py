"""The counter of cycles against a number."""

import random

from gateformer.gateware.parts.cycle_counter import CycleCounter
from tests.support.component_simulation import simulate


def test_halves_are_of_one_moment():
    dut = CycleCounter(half_bits=3)
    rng = random.Random(2)

    async def testbench(ctx):
        count, high = 0, 0
        for _ in range(400):
            clear, enable, read = rng.random() < 0.01, rng.random() < 0.9, rng.random() < 0.2
            ctx.set(dut.clear, clear)
            ctx.set(dut.enable, enable)
            ctx.set(dut.low_read, read)
            assert ctx.get(dut.low) == count % 8
            assert ctx.get(dut.high) == high
            if read:
                high = count // 8
            count = 0 if clear else (count + enable) % 64
            await ctx.tick()

    simulate(dut, testbench)
