"""xorshift32 in gateware against model.contract.sampling."""

import random

import pytest

from gateformer.gateware.engines.sampler.random_generator import RandomGenerator
from gateformer.model.contract.sampling import SEED_MASK, initial_state, xorshift32
from tests.support.component_simulation import simulate


@pytest.mark.parametrize("seed", [0, 1, SEED_MASK, 2**32 - 1, 0x12345678])
def test_states_are_the_contract(seed):
    rng = random.Random(seed)
    dut = RandomGenerator()

    async def testbench(ctx):
        for _ in range(2):  # seeding again starts again
            ctx.set(dut.seed, seed)
            ctx.set(dut.reseed, 1)
            await ctx.tick()
            ctx.set(dut.reseed, 0)
            ctx.set(dut.seed, rng.getrandbits(32))  # read in the cycle of reseed only
            await ctx.tick().repeat(dut.reseed_latency - 1)
            expected = initial_state(seed)
            for _ in range(100):
                assert ctx.get(dut.state) == expected
                advance = rng.getrandbits(1)
                ctx.set(dut.advance, advance)
                await ctx.tick()
                expected = xorshift32(expected) if advance else expected
            ctx.set(dut.advance, 0)

    simulate(dut, testbench)


def test_reseeding_while_reseeding_starts_over():
    dut = RandomGenerator()

    async def testbench(ctx):
        for seed in (5, 6):
            ctx.set(dut.seed, seed)
            ctx.set(dut.reseed, 1)
            await ctx.tick()
            ctx.set(dut.reseed, 0)
            await ctx.tick().repeat(7)
        await ctx.tick().repeat(dut.reseed_latency - 8)
        assert ctx.get(dut.state) == initial_state(6)

    simulate(dut, testbench)
