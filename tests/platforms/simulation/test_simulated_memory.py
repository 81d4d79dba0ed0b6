"""Readers and writers of the memory's bus against the modelled memory, beat by beat."""

import functools

import numpy as np
import pytest
from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from gateformer.gateware.memory.bus import (
    MemoryShape,
    Response,
    read_signature,
    write_signature,
)
from gateformer.gateware.memory.stream_reader import StreamReader
from gateformer.gateware.memory.word_writer import WordWriter
from gateformer.platforms.simulation.compiled_simulation import CompiledSimulation
from gateformer.platforms.simulation.cxxrtl import compile_component
from gateformer.platforms.simulation.simulated_memory import (
    BusViolation,
    MemoryTiming,
    SimulatedMemory,
    words_as_bytes,
)

SHAPE = MemoryShape(4, 8, 16)
STRIPES = 512
BASE = 0x1000_0000


@functools.cache
def design(kind, *arguments, **options):
    """A library for any number of simulations."""
    return compile_component(kind(SHAPE, *arguments, **options))


def simulated_reader(depth: int = 256) -> CompiledSimulation:
    return CompiledSimulation(None, design=design(StreamReader, depth=depth))


def timing(seed: int) -> MemoryTiming:
    """Another mood for every seed."""
    rng = np.random.default_rng(seed)
    least = int(rng.integers(1, 60))
    return MemoryTiming(
        latency=(least, least + int(rng.integers(0, 90))),
        refresh=[(0, 0), (400, 30), (900, 50)][seed % 3],
        shared=[0, 24, 31.5][seed % 3],
        port=[0, 7, 8][seed // 3 % 3],
        stall=[0, 0.1, 0.5][seed // 9 % 3],
        seed=seed,
    )


def memory_of_words(simulation, timing, rng, **options):
    """A memory whose words are random: (memory, words uint8 [n, word_bytes])."""
    words = rng.integers(0, 256, (STRIPES * SHAPE.stripe_words, SHAPE.word_bytes), np.uint8)
    content = words_as_bytes(SHAPE, words)
    memory = SimulatedMemory(
        simulation, SHAPE, size=len(content), base=BASE, timing=timing, **options
    )
    memory.content[:] = content
    return memory, words


def segments_of(rng, count):
    """Random (stripe, words): jumps forward and back."""
    lengths = rng.integers(1, 5 * SHAPE.stripe_words, count)
    stripes = rng.integers(0, STRIPES - 5, count)
    return list(zip(stripes.tolist(), lengths.tolist(), strict=True))


def read_all(simulation, memory, segments, *, stall=0.0, seed=1, most_cycles=400_000):
    """Words of all segments, uint8 [n, word_bytes], and the cycles that they took."""
    source = simulation.source("segments")
    sink = simulation.sink("words", stall=stall, seed=seed)
    first = BASE // SHAPE.stripe_bytes
    source.feed({"stripe": first + stripe, "words": words} for stripe, words in segments)
    begun, expected = simulation.cycles, sum(words for _, words in segments)
    assert simulation.run_until(sink, expected, most_cycles)
    memory.check()
    _, values = sink.read()
    return values["words__payload"].view(np.uint8), simulation.cycles - begun


def expected_words(words, segments):
    return np.concatenate(
        [words[s * SHAPE.stripe_words :][:count] for s, count in segments], axis=0
    )


@pytest.mark.parametrize("group", range(8))
def test_nothing_is_lost_repeated_or_reordered(group):
    beats = forward = back = 0
    for seed in range(25 * group, 25 * group + 25):
        simulation = simulated_reader()
        rng = np.random.default_rng(seed)
        memory, words = memory_of_words(simulation, timing(seed), rng)
        segments = segments_of(rng, 120)
        found, _ = read_all(simulation, memory, segments, stall=[0, 0.3][seed % 2], seed=seed)
        assert np.array_equal(found, expected_words(words, segments))
        beats += memory.beats[0]
        steps = np.diff([stripe for stripe, _ in segments])
        forward, back = forward + (steps > 0).sum(), back + (steps < 0).sum()
    # of 200 seeds together: 2 million beats, 10,000 jumps each way
    assert beats > 250_000 and min(forward, back) > 1_250


@pytest.mark.parametrize(
    ("moods", "least"),
    [
        (MemoryTiming(latency=(30, 30)), 0.99),
        (MemoryTiming(latency=(30, 120), refresh=(780, 26), shared=24, stall=0.05), 0.93),
    ],
)
def test_a_long_segment_keeps_the_memory_busy(moods, least):
    simulation = simulated_reader(512)
    memory, _ = memory_of_words(simulation, moods, np.random.default_rng(1))
    words = (STRIPES - 5) * SHAPE.stripe_words
    _, cycles = read_all(simulation, memory, [(0, words)])
    rate = min(moods.shared or SHAPE.word_bytes, SHAPE.word_bytes)
    refresh = 1 - moods.refresh[1] / (moods.refresh[0] or 1)
    possible = min(rate, SHAPE.word_bytes * (1 - moods.stall) * refresh) / SHAPE.word_bytes
    assert words / cycles >= least * possible


def test_an_address_outside_is_refused():
    simulation = simulated_reader()
    memory, _ = memory_of_words(simulation, MemoryTiming(), np.random.default_rng(1))
    read_all(simulation, memory, [(0, 16)])
    assert simulation.get("fault") == Response.OKAY.value
    read_all(simulation, memory, [(STRIPES, 16)])
    assert simulation.get("fault") == Response.DECERR.value


def test_a_response_that_is_asked_for():
    simulation = simulated_reader()
    memory, _ = memory_of_words(simulation, MemoryTiming(), np.random.default_rng(1))
    memory.refuse(BASE + 5, BASE + 5, Response.SLVERR)
    read_all(simulation, memory, [(1, 16)])
    assert simulation.get("fault") == Response.OKAY.value
    read_all(simulation, memory, [(0, 1)])
    assert simulation.get("fault") == Response.SLVERR.value


@pytest.mark.parametrize("seed", range(20))
def test_words_are_written(seed):
    simulation = CompiledSimulation(None, design=design(WordWriter))
    rng = np.random.default_rng(seed)
    memory, words = memory_of_words(simulation, timing(seed), rng, reads=None, writes="bus")
    first = BASE // SHAPE.word_bytes
    numbers = rng.integers(0, len(words), 60)
    new = rng.integers(0, 256, (60, SHAPE.word_bytes), np.uint8)
    source = simulation.source("words", stall=0.3, seed=seed + 1)
    source.feed(
        {"number": first + int(number), "data": int.from_bytes(word.tobytes(), "little")}
        for number, word in zip(numbers, new, strict=True)
    )
    for number, word in zip(numbers, new, strict=True):
        words[number] = word
    while len(source.taken()) < 60:
        simulation.step(10)
    simulation.step(2)
    while not simulation.get("idle"):
        simulation.step(1)
    memory.check()
    assert np.array_equal(memory.content, words_as_bytes(SHAPE, words))
    assert memory.beats == (0, 60 * SHAPE.ports)


RULES = {
    "held": "a read address was not held until it was taken",
    "size": "a burst of beats of another size",
    "burst": "a burst that is not INCR",
    "aligned": "an address that is no multiple of a beat",
    "boundary": "a burst that crosses 4 KB",
    "write held": "a write address was not held until it was taken",
    "data held": "write data were not held until they were taken",
    "write size": "a burst of beats of another size",
    "two beats": "a write of more than one beat",
    "not last": "a write of more than one beat",
    "strobes": "a write of some bytes only",
}
"""What breaks a rule, and how it is named."""


class Careless(wiring.Component):
    """A master that breaks the rule ``broken``, a number of :data:`RULES`; beyond them none."""

    broken: In(range(len(RULES) + 1))
    bus0: Out(read_signature(SHAPE.data_bytes))
    write0: Out(write_signature(SHAPE.data_bytes))

    def elaborate(self, platform):
        m = Module()
        read, write = self.bus0, self.write0
        breaks = {rule: self.broken == number for number, rule in enumerate(RULES)}
        counter = Signal(4)
        m.d.sync += counter.eq(counter + 1)
        address = Mux(breaks["boundary"], 4096 - 64, Mux(breaks["aligned"], 4, 0))
        m.d.comb += [
            read.arvalid.eq(1),
            read.rready.eq(1),
            read.arlen.eq(15),
            read.arsize.eq(Mux(breaks["size"], 2, 3)),
            read.arburst.eq(~breaks["burst"]),
            read.araddr.eq(Mux(breaks["held"], counter << 7, address)),
            write.awvalid.eq(1),
            write.awlen.eq(breaks["two beats"]),
            write.awsize.eq(Mux(breaks["write size"], 2, 3)),
            write.awburst.eq(1),
            write.awaddr.eq(Mux(breaks["write held"], counter << 3, 0)),
            write.wvalid.eq(1),
            write.wlast.eq(~breaks["not last"]),
            write.wstrb.eq(Mux(breaks["strobes"], 0x7F, 0xFF)),
            write.wdata.eq(Mux(breaks["data held"], counter, 0)),
            write.bready.eq(1),
        ]
        return m


@pytest.fixture(scope="module")
def careless():
    return compile_component(Careless())


@pytest.mark.parametrize("number", range(len(RULES) + 1))
def test_the_checker_sees(careless, number):
    simulation, one = CompiledSimulation(None, design=careless), MemoryShape(1, 8, 16)
    moods = MemoryTiming(stall=0.5)
    memory = SimulatedMemory(simulation, one, size=8192, writes="write", timing=moods)
    simulation.set("broken", number)
    simulation.step(50)
    if number == len(RULES):
        memory.check()
        assert min(memory.beats) > 0
        return
    with pytest.raises(BusViolation, match=f"^{list(RULES.values())[number]}, cycle"):
        memory.check()
