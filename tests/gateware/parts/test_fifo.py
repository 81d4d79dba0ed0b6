"""Fifo against a list, with random stalls on both sides."""

import random

import pytest

from gateformer.gateware.parts import fifo
from gateformer.gateware.parts.fifo import Fifo
from tests.support.component_simulation import simulate


@pytest.mark.parametrize(
    ("depth", "large"), [(2, 99), (3, 99), (4, 99), (7, 99), (16, 99), (5, 4), (9, 4)]
)
@pytest.mark.parametrize(("offer", "take"), [(0.3, 0.9), (0.9, 0.3), (0.6, 0.6), (1, 1)])
def test_order_levels_and_flags(depth, large, offer, take, monkeypatch):
    """``large``: from where on the memory has a row less."""
    monkeypatch.setattr(fifo, "LARGE", large)
    dut = Fifo(8, depth)
    rng = random.Random(depth)
    seen = set()

    async def bench(ctx):
        inside, written_at, oldest = [], [], None
        for cycle in range(600):
            valid, value, ready = rng.random() < offer, rng.randrange(256), rng.random() < take
            ctx.set(dut.written.valid, valid)
            ctx.set(dut.written.payload, value)
            ctx.set(dut.oldest.ready, ready)
            assert ctx.get(dut.level) == len(inside)
            room, shown = ctx.get(dut.written.ready), ctx.get(dut.oldest.valid)
            assert room == (len(inside) < depth)
            assert shown == (bool(inside) and written_at[0] <= cycle - 2)
            seen.add((room, shown))
            if shown:
                oldest = ctx.get(dut.oldest.payload)
                assert oldest == inside[0]
            await ctx.tick()
            if shown and ready:
                del inside[0], written_at[0]
            if valid and room:
                inside.append(value)
                written_at.append(cycle)

    simulate(dut, bench)
    assert (1, 1) in seen and (1, 0) in seen
    assert (0, 1) in seen or take == 1 or offer < take


def test_a_full_fifo_loses_nothing_and_takes_nothing():
    dut = Fifo(4, 3)

    async def bench(ctx):
        for value in (1, 2, 3, 4):
            ctx.set(dut.written.valid, 1)
            ctx.set(dut.written.payload, value)
            await ctx.tick()
        ctx.set(dut.written.valid, 0)
        assert ctx.get(dut.level) == 3 and not ctx.get(dut.written.ready)
        ctx.set(dut.oldest.ready, 1)
        values = []
        for _ in range(6):
            if ctx.get(dut.oldest.valid):
                values.append(ctx.get(dut.oldest.payload))
            await ctx.tick()
        assert values == [1, 2, 3]

    simulate(dut, bench)


@pytest.mark.parametrize(("depth", "error"), [(1, ValueError), ("4", TypeError)])
def test_bad_depth(depth, error):
    with pytest.raises(error, match="depth must be"):
        Fifo(8, depth)
