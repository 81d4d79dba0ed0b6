"""Products of any width: those of integers, and the same for all families."""

from __future__ import annotations

import random

import pytest

from gateformer.gateware.parts.dsp48 import fits
from gateformer.gateware.parts.multiplier import Multiplier
from gateformer.gateware.parts.wide_multiplier import WideMultiplier
from tests.support.component_simulation import simulate

COUNT = 300
SHAPES = [(1, 1), (25, 18), (18, 25), (26, 18), (18, 42), (47, 17), (24, 24), (25, 25)]
SHAPES += [(28, 28), (34, 25), (17, 63), (36, 36), (52, 35)]


def corners(rng: random.Random, bits: int) -> int:
    low, high = -(1 << bits - 1), (1 << bits - 1) - 1
    return rng.choice((low, low + 1, -1, 0, high, rng.randint(low, high), rng.randint(low, high)))


@pytest.mark.parametrize(("a_width", "b_width"), SHAPES)
def test_product_equals_integers(a_width, b_width):
    rng = random.Random(a_width * 64 + b_width)
    unit = WideMultiplier(a_width=a_width, b_width=b_width)
    pairs = [(corners(rng, a_width), corners(rng, b_width)) for _ in range(COUNT)]
    pad = [(0, 0)] * unit.latency

    async def bench(ctx):
        for cycle, (a, b) in enumerate([*pairs, *pad]):
            if cycle >= unit.latency:
                a_then, b_then = pairs[cycle - unit.latency]
                assert ctx.get(unit.product) == a_then * b_then
            ctx.set(unit.a, a)
            ctx.set(unit.b, b)
            await ctx.tick()

    simulate(unit, bench)


@pytest.mark.parametrize(("a_width", "b_width"), SHAPES)
def test_every_product_of_limbs_is_one_dsp48e1(a_width, b_width):
    unit = WideMultiplier(a_width=a_width, b_width=b_width, dsp="dsp48e1")
    assert all(fits("dsp48e1", a, b) for a in unit._limbs[0] for b in unit._limbs[1])
    assert unit.latency == WideMultiplier(a_width=a_width, b_width=b_width).latency
    assert (unit.latency == Multiplier.LATENCY) == fits("dsp48e1", a_width, b_width)


def test_an_unknown_family_is_refused():
    with pytest.raises(ValueError, match="dsp must be one of"):
        WideMultiplier(a_width=8, b_width=8, dsp="none")
