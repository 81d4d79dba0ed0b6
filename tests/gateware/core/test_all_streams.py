"""A console's view of several streams: texts of the first one, a bench of all."""

import contextlib
import random

import pytest
from amaranth.sim import Simulator

from gateformer.gateware.core.all_streams import AllStreams
from gateformer.gateware.core.ports import stream_port


class Aborted(Exception):
    """In a stand-in stream, a cycle after its abort."""


def run(
    streams: int,
    bench: int,
    counts: list[int],
    seed: int,
    abort_at: int | None = None,
    runs: int = 1,
):
    """What the console sees of stand-in streams that give so many tokens each, in the last run:
    (items, counted, the prompts that were taken by stream, whether all were idle at the last item).
    """
    unit, rng = AllStreams(8, streams), random.Random(seed)
    items, counted, prompts, idle = [], 0, [[] for _ in counts], False

    def port(name: str, stream: int):
        return getattr(unit, stream_port(f"core_{name}", stream))

    async def console(ctx):
        ctx.set(unit.bench, bench)
        for left in reversed(range(runs)):
            await start(ctx)
            for cycle in range(abort_at + 2 if left else 400):
                ctx.set(unit.abort, cycle == abort_at and (left or runs == 1))
                ctx.set(unit.output.ready, rng.random() < 0.5)
                await ctx.tick()

    async def start(ctx):
        nonlocal counted
        items.clear()
        counted = 0
        for taken in prompts:
            taken.clear()
        ctx.set(unit.start, 1)
        await ctx.tick()
        ctx.set(unit.start, 0)
        ctx.set(unit.prompt.valid, 1)
        ctx.set(unit.prompt.payload, {"token": 0 if bench else 5, "last": 1})
        await ctx.tick().until(unit.prompt.ready)
        ctx.set(unit.prompt.valid, 0)

    async def watch(ctx):
        nonlocal counted, idle
        output = unit.output
        sampled = (output.valid, output.ready, output.payload, unit.busy, unit.counted)
        async for _, _, valid, ready, payload, busy, pulse in ctx.tick().sample(*sampled):
            counted += pulse
            if valid and ready:
                items.append((payload.token, payload.last))
                idle = not busy

    def stream(number: int, tokens: int):
        prompt, output = port("prompt", number), port("output", number)

        async def step(ctx):
            aborted = ctx.get(port("abort", number))
            await ctx.tick()
            if aborted:
                raise Aborted

        async def generate(ctx):
            ctx.set(prompt.ready, 1)
            while not ctx.get(prompt.valid):
                await step(ctx)
            prompts[number].append((ctx.get(prompt.payload.token), ctx.get(prompt.payload.last)))
            await step(ctx)
            ctx.set(prompt.ready, 0)
            for i in range(tokens):
                for _ in range(rng.randint(4, 9)):
                    await step(ctx)
                ctx.set(output.valid, 1)
                ctx.set(output.payload, {"token": i % 8, "last": i == tokens - 1})
                while not ctx.get(output.ready):
                    await step(ctx)
                await step(ctx)
                ctx.set(output.valid, 0)

        async def give(ctx):
            while True:
                while not ctx.get(port("start", number)):
                    await ctx.tick()
                await ctx.tick()
                ctx.set(port("busy", number), 1)
                with contextlib.suppress(Aborted):
                    await generate(ctx)
                for signal in (port("busy", number), prompt.ready, output.valid):
                    ctx.set(signal, 0)

        return give

    simulator = Simulator(unit)
    simulator.add_clock(1e-6)
    simulator.add_testbench(console)
    simulator.add_testbench(watch, background=True)
    for number, tokens in enumerate(counts):
        simulator.add_testbench(stream(number, tokens), background=True)
    simulator.run()
    return items, counted, prompts, idle


@pytest.mark.parametrize("seed", range(4))
def test_a_bench_is_of_all(seed):
    """One item at the end of all; each token is counted, and each stream has the prompt."""
    rng = random.Random(seed)
    counts = [rng.randint(1, 12) for _ in range(2 + seed)]
    items, counted, prompts, idle = run(len(counts), 1, counts, seed)
    assert [last for _, last in items] == [1] and idle
    assert counted == sum(counts)
    assert prompts == [[(0, 1)]] * len(counts)


@pytest.mark.parametrize("seed", range(2))
def test_a_text_is_the_first_ones(seed):
    items, counted, prompts, _ = run(3, 0, [7, 5, 5], seed)
    assert items == [(i, i == 6) for i in range(7)]
    assert counted == 0 and prompts == [[(5, 1)], [], []]


def test_a_stopped_bench_gives_nothing_more():
    items, counted, _, _ = run(2, 1, [9, 9], 3, abort_at=20)
    assert items == [] and 0 < counted < 18


@pytest.mark.parametrize("abort_at", [0, 1, 23])
def test_a_bench_begun_two_cycles_after_an_abort_is_whole(abort_at):
    items, counted, prompts, idle = run(3, 1, [4, 9, 6], abort_at, abort_at=abort_at, runs=2)
    assert [last for _, last in items] == [1] and idle
    assert counted == 19 and prompts == [[(0, 1)]] * 3
