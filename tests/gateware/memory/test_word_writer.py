"""Words that are written are in the memory once the writer is idle."""

import random

import pytest

from gateformer.gateware.memory.bus import MemoryShape, Response
from gateformer.gateware.memory.word_writer import WordWriter
from tests.support.component_simulation import simulate

from .bus_model import PortModel, word_at


@pytest.mark.parametrize("shape", [MemoryShape(1, 4, 4), MemoryShape(4, 8, 16)], ids=str)
@pytest.mark.parametrize(("stall", "latency"), [(0, (1, 1)), (0.5, (1, 40)), (0, (100, 120))])
def test_words_are_written(shape, stall, latency):
    dut, rng, written = WordWriter(shape), random.Random(7), {}
    memory = [
        PortModel(shape, bus, written, seed=i, stall=stall, latency=latency)
        for i, bus in enumerate(dut.buses)
    ]
    words = {
        rng.randrange(2 ** len(dut.words.p.number)): rng.getrandbits(8 * shape.word_bytes)
        for _ in range(40)
    }

    async def cycle(ctx):
        for port in memory:
            port.drive(ctx)
        for port in memory:
            port.sample(ctx)
        accepted = ctx.get(dut.words.valid) and ctx.get(dut.words.ready)
        await ctx.tick()
        return accepted

    async def run(ctx):
        for number, word in words.items():
            while rng.random() < 0.3:
                await cycle(ctx)
            ctx.set(dut.words.valid, 1)
            ctx.set(dut.words.p.number, number)
            ctx.set(dut.words.p.data, word)
            while not await cycle(ctx):
                pass
            ctx.set(dut.words.valid, 0)
        await cycle(ctx)
        assert not ctx.get(dut.idle)
        while not ctx.get(dut.idle):
            await cycle(ctx)
        assert not any(port.under_way for port in memory)
        assert not ctx.get(dut.fault.as_value())

    simulate(dut, run)
    assert {number: word_at(shape, written, number) for number in words} == words
    assert len(written) == len(words) * shape.word_bytes


def test_a_bad_response_is_kept_until_it_is_cleared():
    shape = MemoryShape(2, 4, 4)
    dut = WordWriter(shape)
    memory = [
        PortModel(shape, bus, {}, seed=i, bad={shape.line_bytes: Response.SLVERR})
        for i, bus in enumerate(dut.buses)
    ]

    async def run(ctx):
        ctx.set(dut.words.valid, 1)
        for _ in range(12):
            for port in memory:
                port.drive(ctx)
            for port in memory:
                port.sample(ctx)
            if ctx.get(dut.words.ready):
                await ctx.tick()
                ctx.set(dut.words.valid, 0)
            else:
                await ctx.tick()
        assert ctx.get(dut.fault.as_value()) == Response.SLVERR.value
        ctx.set(dut.clear, 1)
        await ctx.tick()
        assert ctx.get(dut.fault.as_value()) == 0

    simulate(dut, run)
