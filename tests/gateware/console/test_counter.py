"""The ring counter of the console."""

import random

import pytest

from gateformer.gateware.console.counter import RingCounter
from tests.support.component_simulation import simulate


@pytest.mark.parametrize("events", [1, 32])
def test_ring_counter(events):
    counter = RingCounter(events=events)
    rng = random.Random(events)

    async def bench(ctx):
        count = phase = 0

        async def cycle(event=0, clear=0):
            nonlocal phase
            ctx.set(counter.phase, phase)
            ctx.set(counter.event, event)
            ctx.set(counter.clear, clear)
            coming = ctx.get(counter.coming)
            await ctx.tick()
            phase = (phase + 1) % 32
            return coming << phase

        for run in range(6):
            for _ in range(rng.randrange(40)):
                await cycle()
            await cycle(clear=1)
            count = 0
            for _ in range(rng.randrange(1, 10)):
                while phase:
                    await cycle()
                busiest = rng.choice([0, 1, events, rng.randrange(events + 1)])
                places = set(rng.sample(range(32), busiest))
                for place in range(32):
                    await cycle(event=place in places)
                count += busiest
            for _ in range(64):
                await cycle()
            assert sum([await cycle() for _ in range(32)]) == count, run

    simulate(counter, bench)
