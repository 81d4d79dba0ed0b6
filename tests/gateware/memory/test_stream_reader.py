"""Segments of a memory as a stream of words, whatever the memory's moods."""

import random

import pytest

from gateformer.gateware.memory.bus import MemoryShape, Response
from gateformer.gateware.memory.stream_reader import StreamReader
from tests.support.component_simulation import simulate

from .bus_model import PortModel, word_at

SHAPES = [MemoryShape(1, 4, 4), MemoryShape(2, 8, 16), MemoryShape(4, 8, 16), MemoryShape(4, 16, 2)]


class Bench:
    """A reader with its memory, in one loop of cycles."""

    def __init__(self, shape, *, seed, stall=0.0, latency=(1, 1), depth=None, bad=()):
        self.shape, self.random = shape, random.Random(seed)
        self.dut = StreamReader(shape, depth=depth or 4 * shape.burst_beats)
        self.written = {}
        self.memory = [
            PortModel(
                shape, bus, self.written, seed=seed + i, stall=stall, latency=latency, bad=bad
            )
            for i, bus in enumerate(self.dut.buses)
        ]

    async def cycle(self, ctx) -> int | None:
        """One clock cycle; the word that was taken in it, if one was."""
        for port in self.memory:
            port.drive(ctx)
        for port in self.memory:
            port.sample(ctx)
        words, taken = self.dut.words, None
        if ctx.get(words.valid) and ctx.get(words.ready):
            taken = ctx.get(words.payload)
        self.accepted = ctx.get(self.dut.segments.valid) and ctx.get(self.dut.segments.ready)
        await ctx.tick()
        return taken

    async def read(self, ctx, segments, *, take=1.0, most_cycles=20_000) -> list[int]:
        """The words of all segments, offered as soon as they are accepted."""
        waiting, found = list(segments), []
        expected = sum(words for _, words in segments)
        for _ in range(most_cycles):
            ctx.set(self.dut.segments.valid, bool(waiting))
            if waiting:
                ctx.set(self.dut.segments.p.stripe, waiting[0][0])
                ctx.set(self.dut.segments.p.words, waiting[0][1])
            ctx.set(self.dut.words.ready, self.random.random() < take)
            word = await self.cycle(ctx)
            found += [] if word is None else [word]
            if self.accepted:
                del waiting[0]
            if len(found) == expected and not waiting:
                break
        ctx.set(self.dut.segments.valid, 0)
        ctx.set(self.dut.words.ready, 0)
        return found

    def expected(self, segments) -> list[int]:
        words = self.shape.stripe_words
        return [
            word_at(self.shape, self.written, stripe * words + i)
            for stripe, count in segments
            for i in range(count)
        ]


def some_segments(rng, shape, count):
    most = 3 * shape.stripe_words
    return [(rng.randrange(2**shape.stripe_bits - 4), rng.randint(1, most)) for _ in range(count)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(
    ("stall", "latency", "take"), [(0, (1, 1), 1), (0.3, (1, 40), 0.5), (0.7, (30, 120), 1)]
)
def test_words_in_order(shape, stall, latency, take):
    bench = Bench(shape, seed=len(str(shape)), stall=stall, latency=latency)
    segments = some_segments(random.Random(5), shape, 12)

    async def run(ctx):
        assert await bench.read(ctx, segments, take=take) == bench.expected(segments)
        for _ in range(200):
            await bench.cycle(ctx)
        assert ctx.get(bench.dut.idle)
        assert not ctx.get(bench.dut.fault.as_value())

    simulate(bench.dut, run)
    for port, model in enumerate(bench.memory):
        assert all(address // shape.line_bytes % shape.ports == port for address, _ in model.bursts)


def test_a_memory_that_never_waits_is_kept_busy():
    shape = MemoryShape(4, 8, 16)
    bench = Bench(shape, seed=1, latency=(30, 30), depth=128)
    segments = [(0, 640), (1000, 640), (7, 640)]

    async def run(ctx):
        found = await bench.read(ctx, segments, most_cycles=3 * 640 + 60)
        assert found == bench.expected(segments)

    simulate(bench.dut, run)


@pytest.mark.parametrize("seed", range(6))
def test_flush_forgets_everything_and_leaves_the_bus_well(seed):
    shape = MemoryShape(2, 8, 16)
    rng = random.Random(seed)
    bench = Bench(shape, seed=seed, stall=0.3, latency=(5, 60))

    async def run(ctx):
        for _ in range(5):
            segments = some_segments(rng, shape, 4)
            await bench.read(ctx, segments, take=0.6, most_cycles=rng.randint(1, 150))
            ctx.set(bench.dut.flush, 1)
            for cycle in range(3000):
                await bench.cycle(ctx)
                if cycle > 1 and ctx.get(bench.dut.idle):
                    break
            assert ctx.get(bench.dut.idle)
            assert not any(port.under_way for port in bench.memory)
            await bench.cycle(ctx)
            ctx.set(bench.dut.flush, 0)
            segments = some_segments(rng, shape, 3)
            assert await bench.read(ctx, segments, take=0.8) == bench.expected(segments)

    simulate(bench.dut, run)


@pytest.mark.parametrize("port", [0, 1])
def test_a_bad_beat_is_known_before_its_word_can_be_taken(port):
    """A register behind ``faulty`` is in time to keep the word from whoever waits for it."""
    shape = MemoryShape(2, 4, 4)
    address = 5 * shape.stripe_bytes + port * shape.line_bytes
    bench = Bench(shape, seed=3, latency=(4, 9), bad={address: Response.SLVERR})
    known, taken = [], []

    async def run(ctx):
        for segment in ((4, 4), (5, 4)):
            ctx.set(bench.dut.segments.p.stripe, segment[0])
            ctx.set(bench.dut.segments.p.words, segment[1])
            ctx.set(bench.dut.segments.valid, 1)
            ctx.set(bench.dut.words.ready, 1)
            for _ in range(60):
                known.append(ctx.get(bench.dut.faulty))
                word = await bench.cycle(ctx)
                if word is not None:
                    taken.append(len(known) - 1)
                if bench.accepted:
                    ctx.set(bench.dut.segments.valid, 0)

    simulate(bench.dut, run)
    assert len(taken) == 8 and not any(known[cycle] for cycle in taken[:4])
    assert known[taken[4] - 1]


@pytest.mark.parametrize("response", [Response.SLVERR, Response.DECERR])
def test_a_bad_response_is_kept_until_flush(response):
    shape = MemoryShape(2, 4, 4)
    address = 5 * shape.stripe_bytes + shape.line_bytes
    bench = Bench(shape, seed=3, bad={address: response})

    async def run(ctx):
        await bench.read(ctx, [(4, 4)])
        assert ctx.get(bench.dut.fault.as_value()) == 0
        await bench.read(ctx, [(5, 4), (6, 4)])
        await bench.cycle(ctx)
        assert ctx.get(bench.dut.fault.as_value()) == response.value
        ctx.set(bench.dut.flush, 1)
        for _ in range(3):
            await bench.cycle(ctx)
        ctx.set(bench.dut.flush, 0)
        await bench.cycle(ctx)
        assert ctx.get(bench.dut.fault.as_value()) == 0

    simulate(bench.dut, run)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((3, 8), "ports must be a power of two, not 3"),
        ((4, 8, 12), "burst_beats must be a power of two, not 12"),
        ((4, 2), "data_bytes must be 4 to 64, not 2"),
    ],
)
def test_shapes_that_are_none(arguments, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        MemoryShape(*arguments)


@pytest.mark.parametrize("depth", [16, 48])
def test_a_depth_that_is_none(depth):
    with pytest.raises(ValueError, match="depth must be"):
        StreamReader(MemoryShape(1, 4, 16), depth=depth)
