"""The histogram of keys against sums in Python."""

import random

import pytest

from gateformer.gateware.engines.sampler.key_histogram import KeyHistogram

from .test_sampler import simulate

KEY_BITS, WEIGHT_BITS, SUM_BITS = 4, 5, 12
KINDS = 2 ** (KEY_BITS - 1)


def limit_of(weighted, goal):
    """(threshold, rest) of (key, weight) pairs."""
    for threshold in range(KINDS):
        weight = sum(w for key, w in weighted if key == threshold)
        if weight >= goal:
            return threshold, goal
        goal -= weight
    return KINDS, goal


async def pulse(ctx, dut, name):
    """Ends in the cycle of ``done``, which must come exactly when promised."""
    ctx.set(getattr(dut, name), 1)
    await ctx.tick()
    ctx.set(getattr(dut, name), 0)
    for _ in range(dut.latency(KEY_BITS) - 1):
        assert not ctx.get(dut.done)
        await ctx.tick()
    assert ctx.get(dut.done)


@pytest.mark.parametrize("kinds", [1, 2, 3, 5, 2 * KINDS])
def test_threshold_and_rest(kinds):
    """Few kinds of keys: equal ones follow each other closely, at any distance."""
    rng = random.Random(kinds)
    dut = KeyHistogram(key_bits=KEY_BITS, weight_bits=WEIGHT_BITS, sum_bits=SUM_BITS)

    async def testbench(ctx):
        for _ in range(25):
            await pulse(ctx, dut, "clear")
            some = rng.sample(range(2 * KINDS), kinds)
            weighted = []
            for _ in range(rng.randint(1, 40)):
                item = {"valid": rng.random() < 0.8, "key": rng.choice(some)}
                item["weight"] = rng.randrange(2**WEIGHT_BITS)
                ctx.set(dut.added, item)
                await ctx.tick()
                if item["valid"]:
                    weighted.append((item["key"], item["weight"]))
            ctx.set(dut.added.valid, 0)
            await ctx.tick().repeat(dut.ADD_LATENCY - 1)
            total = sum(weight for key, weight in weighted if key < KINDS)
            for goal in (1, rng.randint(1, max(total, 1)), max(total, 1), total + 1):
                ctx.set(dut.goal, goal)
                await pulse(ctx, dut, "search")
                found = ctx.get(dut.threshold), ctx.get(dut.rest)
                assert found == limit_of(weighted, goal), (weighted, goal)
                ctx.set(dut.goal, 0)  # read in the cycle of search only

    simulate(dut, testbench)
