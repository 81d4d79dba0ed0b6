"""The contract of the compiled simulation: it is the component, cycle by cycle."""

import random

import numpy as np
import pytest
from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from gateformer.model.support.errors import UserError
from gateformer.platforms.simulation.compiled_simulation import CompiledSimulation
from gateformer.platforms.simulation.simulated_stream import StreamViolation
from tests.support.component_simulation import simulate
from tests.support.simulated_counter import Counter, drive_counter


class Difference(wiring.Component):
    """A stream stage of 90 bits, and a combinational path."""

    i: In(stream.Signature(data.StructLayout({"a": 8, "b": 80})))
    o: Out(stream.Signature(signed(90)))
    x: In(4)
    y: Out(5)

    def elaborate(self, platform):
        m = Module()
        m.d.comb += [self.i.ready.eq(~self.o.valid | self.o.ready), self.y.eq(self.x + 1)]
        with m.If(self.i.ready):
            m.d.sync += self.o.valid.eq(self.i.valid)
            m.d.sync += self.o.payload.eq(self.i.payload.a - self.i.payload.b)
        return m


class Mixture(wiring.Component):
    """Every operator the gateware uses, at widths below, at and beyond a machine word."""

    def __init__(self, width: int):
        self.width = width
        super().__init__({"a": In(width), "b": In(signed(width)), "c": In(3), "y": Out(512)})

    def elaborate(self, platform):
        m = Module()
        w, a, b, c = self.width, self.a, self.b, self.c
        m.submodules.memory = memory = Memory(shape=w, depth=5, init=[1, 2, 3])
        read, write = memory.read_port(), memory.write_port()
        m.d.comb += [read.en.eq(1), read.addr.eq(c), write.addr.eq(c)]
        m.d.comb += [write.en.eq(a[0]), write.data.eq(a ^ b)]
        total = Signal(signed(w + 9))
        with m.If(c == 0):
            m.d.sync += total.eq(b)
        with m.Elif(c[0]):
            m.d.sync += total.eq(total + (a * b >> c) - c)
        lowest, half = Signal(w), Signal(w)
        m.d.comb += [half[: w // 2].eq(~a), half[w // 2 :].eq(Cat(a.any(), b.all(), a.xor()))]
        m.d.comb += lowest.eq(Mux(a > b.as_unsigned(), a, half))
        flags = Cat(a < b, a == b, b >= -5, b < total, ~b <= a, a != half, b.bool(), -b > c)
        parts = Cat(total, read.data, lowest, a | b, a & ~b, b >> c, a << c, flags)
        m.d.sync += self.y.eq(Cat(parts[1:], parts[0], c.replicate(3), (a % 8) ^ -b))
        return m


def drive_amaranth(component, inputs):
    """Output ``y`` after each cycle, from Amaranth's own simulator."""
    seen = []

    async def bench(ctx):
        for a, b, c in inputs:
            ctx.set(component.a, a)
            ctx.set(component.b, b)
            ctx.set(component.c, c)
            await ctx.tick()
            seen.append(ctx.get(component.y))

    simulate(component, bench)
    return seen


def drive_compiled(component, inputs):
    simulation, seen = CompiledSimulation(component), []
    for a, b, c in inputs:
        for name, value in (("a", a), ("b", b), ("c", c)):
            simulation.set(name, value)
        simulation.step()
        seen.append(simulation.get("y"))
    return seen


@pytest.mark.parametrize("width", [7, 32, 33, 64, 70])
@pytest.mark.slow_but("33", "70")
def test_compiled_equals_amaranth(width):
    rng = random.Random(width)
    corners = [0, 1, (1 << width) - 1, 1 << (width - 1)]
    inputs = []
    for _ in range(300):
        a, b = (rng.choice([*corners, rng.getrandbits(width)]) for _ in range(2))
        inputs.append((a, b - (b >> (width - 1) << width), rng.randrange(5)))
    assert drive_compiled(Mixture(width), inputs) == drive_amaranth(Mixture(width), inputs)


@pytest.fixture
def difference():
    return CompiledSimulation(Difference())


ITEMS = [{"a": i, "b": i << 70} for i in range(100)]


WORDS = [(item["a"] - item["b"]) % 2**90 for item in ITEMS]


def words(chunks: np.ndarray) -> list[int]:
    return [int.from_bytes(row.tobytes(), "little") for row in chunks]


@pytest.mark.parametrize("stall", [0, 0.2, 0.7])
def test_streams_keep_order_and_stamp_cycles(difference, stall):
    source = difference.source("i", stall=stall, seed=1)
    sink = difference.sink("o", stall=stall, seed=2)
    source.feed(ITEMS)
    assert difference.run_until(sink, 100, 5000)
    cycles, values = sink.read()
    assert words(values["o__payload"]) == WORDS
    assert np.all(np.diff(cycles.astype(np.int64)) > 0)
    assert np.all(source.taken() < cycles)
    assert sink.last() == (cycles[-1], {"o__payload": WORDS[-1]})
    if stall == 0:
        assert list(cycles) == list(range(1, 101)) and difference.cycles == 101
    else:
        assert difference.cycles > 110


def test_probe_records_only_valid_cycles(difference):
    probe = difference.probe("o__valid", ["o__payload", "o__ready"])
    difference.source("i").feed(ITEMS[:3])
    difference.set("o__ready", 1)
    difference.step(50)
    cycles, values = probe.read()
    assert list(cycles) == [1, 2, 3]
    assert words(values["o__payload"]) == WORDS[:3]
    assert words(values["o__ready"]) == [1, 1, 1]
    probe.clear()
    assert len(probe) == 0
    with pytest.raises(IndexError, match="nothing was recorded"):
        probe.last()


def test_run_until_gives_up(difference):
    sink = difference.sink("o")
    assert not difference.run_until(sink, 1, 25_000)
    assert difference.cycles == 25_000


def test_combinational_paths_need_no_clock(difference):
    for value in (15, 3):
        difference.set("x", value)
        assert difference.get("y") == value + 1
    assert difference.cycles == 0


def test_signed_ports_read_negative(difference):
    difference.set("o__ready", 1)
    difference.source("i").feed([{"a": 1, "b": 1 << 75}])
    difference.step(1)
    assert difference.get("o__payload") == 1 - (1 << 75)


def test_simulations_of_one_design_are_independent(difference):
    other = CompiledSimulation(Difference())
    other.set("x", 7)
    other.step(3)
    assert (difference.cycles, difference.get("y"), other.get("y")) == (0, 1, 8)


@pytest.mark.parametrize(
    ("act", "error", "message"),
    [
        (lambda s: s.set("x", 16), ValueError, "x has 4 bits and cannot hold 16"),
        (lambda s: s.set("x", -1), ValueError, "x has 4 bits and cannot hold -1"),
        (lambda s: s.set("y", 0), KeyError, "no input 'y'; there are i__payload, i__valid"),
        (lambda s: s.get("z"), KeyError, "no port 'z'; there are "),
        (lambda s: s.sink("o", stall=1), ValueError, "stall must be at least 0 and below 1, not 1"),
    ],
)
def test_bad_use_is_named(difference, act, error, message):
    with pytest.raises(error, match=message):
        act(difference)


class Fickle(wiring.Component):
    """Breaks the stream rules: its payload changes while it waits."""

    o: Out(stream.Signature(8))

    def elaborate(self, platform):
        m = Module()
        m.d.sync += [self.o.valid.eq(1), self.o.payload.eq(self.o.payload + 1)]
        return m


def test_a_broken_stream_is_noticed():
    simulation = CompiledSimulation(Fickle())
    simulation.sink("o", stall=0.5)
    with pytest.raises(StreamViolation, match="o__valid: payload not held until it was taken"):
        simulation.step(100)


def test_waveform_has_the_cycles_asked_for(tmp_path):
    path = tmp_path / "counter.vcd"
    simulation = CompiledSimulation(Counter(8), waveform=(path, 10, 12))
    simulation.step(20)
    text = path.read_text()
    assert "value" in text and "doubled" in text
    stamps = [int(line[1:]) for line in text.splitlines() if line.startswith("#")]
    assert (stamps[0], stamps[-1]) == (20, 25)
    assert "b00001010 " in text and "b00001100 " in text and "b00001101 " not in text
    assert simulation.get("value") == drive_counter(20)


def test_waveform_that_cannot_be_written(tmp_path):
    path = tmp_path / "none" / "counter.vcd"
    with pytest.raises(UserError, match=f"cannot write the waveform {path}"):
        CompiledSimulation(Counter(8), waveform=(path, 0, 1))
