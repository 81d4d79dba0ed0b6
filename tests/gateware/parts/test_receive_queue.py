"""The receive queue against a model of it."""

import collections
import random

import pytest

from gateformer.gateware.parts.receive_queue import CTRL_C, QUEUE_DEPTH, ReceiveQueue
from tests.support.component_simulation import simulate

MARK = "mark"


class QueueModel:
    """The queue, one arrival or taking after the other."""

    def __init__(self):
        self.items, self.lost, self.interrupts = collections.deque(), False, 0

    def arrive(self, item):
        if item == CTRL_C:
            self.items.clear()
            self.lost, self.interrupts = False, self.interrupts + 1
        elif len(self.items) < QUEUE_DEPTH:
            self.items.append(item)
        else:
            self.lost = True

    def take(self):
        item = self.items.popleft() if self.items else None
        if self.lost and len(self.items) < QUEUE_DEPTH:
            self.items.append(MARK)
            self.lost = False
        return item


class TestReceiveQueue:
    @staticmethod
    async def arrive(ctx, queue, item):
        damaged = item == MARK
        # a damaged Ctrl-C is none
        ctx.set(queue.received.payload, {"byte": CTRL_C if damaged else item, "damaged": damaged})
        ctx.set(queue.received.valid, 1)
        assert ctx.get(queue.received.ready)
        await ctx.tick()
        ctx.set(queue.received.valid, 0)
        interrupts = 0
        for _ in range(3):
            interrupts += ctx.get(queue.interrupt)
            await ctx.tick()
        return interrupts

    @staticmethod
    async def take(ctx, queue):
        for _ in range(4):
            if ctx.get(queue.queued.valid):
                entry = ctx.get(queue.queued.payload)
                ctx.set(queue.queued.ready, 1)
                await ctx.tick()
                ctx.set(queue.queued.ready, 0)
                return MARK if entry.mark else entry.byte
            await ctx.tick()
        return None

    @pytest.mark.parametrize("seed", range(3))
    def test_against_model(self, seed):
        """Fills and empties the queue several times, with damaged bytes and Ctrl-C."""
        rng = random.Random(seed)
        queue, model = ReceiveQueue(), QueueModel()
        seen = collections.Counter()

        async def bench(ctx):
            interrupts = 0
            for _ in range(6):
                taking, control = rng.choice([(0.1, 0.001), (0.9, 0.01), (0.1, 0)])
                for _ in range(330):
                    if rng.random() > taking:
                        item = rng.choice([MARK, *range(4, 24)])
                        item = CTRL_C if rng.random() < control else item
                        seen["lost"] += len(model.items) == QUEUE_DEPTH
                        model.arrive(item)
                        interrupts += await self.arrive(ctx, queue, item)
                        assert interrupts == model.interrupts
                    else:
                        seen["taken"] += 1
                        assert await self.take(ctx, queue) == model.take()
            while model.items:
                assert await self.take(ctx, queue) == model.take()
            assert await self.take(ctx, queue) is None

        simulate(queue, bench)
        assert seen["lost"] and seen["taken"]

    def test_at_full_speed(self):
        """One arrival per cycle: what a mark stands for is lost with it, nothing else is."""
        queue = ReceiveQueue()

        async def bench(ctx):
            ctx.set(queue.received.valid, 1)
            for number in range(QUEUE_DEPTH + 20):
                ctx.set(queue.received.payload, {"byte": 16 + number % 200, "damaged": 0})
                await ctx.tick()
            ctx.set(queue.received.valid, 0)
            taken = [await self.take(ctx, queue) for _ in range(QUEUE_DEPTH + 2)]
            assert taken[:QUEUE_DEPTH] == [16 + number % 200 for number in range(QUEUE_DEPTH)]
            assert taken[QUEUE_DEPTH:] == [MARK, None]

        simulate(queue, bench)

    def test_ctrl_c_withdraws_what_waits(self):
        queue = ReceiveQueue()

        async def bench(ctx):
            for item in (65, 66, MARK):
                await self.arrive(ctx, queue, item)
            assert ctx.get(queue.queued.valid)
            assert await self.arrive(ctx, queue, CTRL_C) == 1
            assert await self.take(ctx, queue) is None
            await self.arrive(ctx, queue, 67)
            assert await self.take(ctx, queue) == 67

        simulate(queue, bench)
