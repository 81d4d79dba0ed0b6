"""A core whose model is replaced while it runs, against the reference; every fault refused."""

import random

import pytest

from gateformer.gateware.compiler.program import Program
from gateformer.gateware.compiler.reload_image import checksum, model_image
from gateformer.gateware.core.loader import WORD_CYCLES, Refusal
from gateformer.gateware.core.signature import READ_CYCLES
from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.model.contract.artifact import open_model
from gateformer.model.contract.reference import Reference
from gateformer.model.contract.sampling import SamplingSettings
from gateformer.platforms.simulation.simulation import CoreSimulator
from tests.support.reload_bench import SHAPES, SMALL, image, is_model, model, program, simulator

SOME_SHAPES = [
    pytest.param(shape, marks=pytest.mark.slow if shape in ("banks", "no registers", "odd") else ())
    for shape in SHAPES
]


@pytest.mark.parametrize("stall", [0.0, 0.4])
@pytest.mark.parametrize("shape", SOME_SHAPES)
@pytest.mark.slow_but("small-*")
def test_models_one_after_the_other(shape, stall):
    core = simulator(shape, stall)
    for seed in (2, 3, 1):
        assert core.load(image(shape, seed)) is Refusal.NONE and core.is_loaded
        assert is_model(core, model(shape, seed))
        core.simulation.step(random.Random(seed).randrange(50))


def test_the_bitstream_s_model_is_there_at_first():
    assert is_model(CoreSimulator(program()), model("small", 1))


def section_starts(shape: str = "small") -> list:
    """(section, index of its first word in an image)."""
    starts, first = [], 1
    for entry in program(shape).contents:
        starts.append((entry.section, first))
        first += entry.section.size
    return starts


def section_ends() -> list[int]:
    """Words of a small image up to each section's end, shape and signature included."""
    ends = [start + section.size for section, start in section_starts()]
    return [1, *ends, ends[-1] + 1]


def test_sections_are_the_image():
    assert section_ends()[-1] + 1 == len(image("small", 2))


@pytest.mark.parametrize("number", range(8))
def test_truncated(number):
    """At every section's end (number 7: anywhere) the core knows that words are missing."""
    words, core = image("small", 2), simulator()
    rng = random.Random(number)
    ends = section_ends()
    ends = [ends[number]] if number < len(ends) else rng.sample(range(1, len(words)), 10)
    for end in ends:
        assert core.load(words[:end]) is Refusal.ABORTED
        # the first word writes nothing, but from then on the old model is given up
        assert not core.is_loaded
    assert core.load(words) is Refusal.NONE and is_model(core, model("small", 2))


def test_nothing_came():
    core = simulator()
    core.load(image("small", 3))
    assert core.load([]) is Refusal.ABORTED
    assert core.is_loaded and is_model(core, model("small", 3))


def test_flipped_bits():
    words, core = image("small", 2), simulator()
    rng = random.Random(5)
    places = [(end, rng.randrange(32)) for end in section_ends()]  # first word of each section
    places += [(rng.randrange(1, len(words)), rng.randrange(32)) for _ in range(60)]
    for place, bit in places:
        damaged = list(words)
        damaged[place] ^= 1 << bit
        assert core.load(damaged) is Refusal.CHECKSUM, (place, bit)
        assert not core.is_loaded
    assert core.load(words) is Refusal.NONE and is_model(core, model("small", 2))


def test_noise():
    """Bursts, words that are lost, doubled or exchanged, and no image at all."""
    words, core = image("small", 2), simulator()
    rng = random.Random(6)
    for _ in range(20):
        damaged, at = list(words), rng.randrange(1, len(words) - 3)
        match rng.randrange(4):
            case 0:
                damaged[at : at + 3] = (rng.getrandbits(32) for _ in range(3))
            case 1:
                damaged.insert(at, damaged[at])
            case 2:
                del damaged[at]
                damaged.append(0)
            case 3:
                damaged[at], damaged[at + 1] = damaged[at + 1], damaged[at] ^ 1
        assert core.load(damaged) is Refusal.CHECKSUM
        assert not core.is_loaded
    assert core.load([rng.getrandbits(32) for _ in words]) is Refusal.SHAPE


@pytest.mark.parametrize(
    "change",
    [
        {"d_ff": 12},
        {"ctx_len": 23},
        {"n_layers": 2},
        {"vocab_size": 63},
    ],
)
def test_other_shapes_leave_the_model(change):
    parts = dict(part.split("=") for part in SMALL.split(":")[1].split(","))
    parts |= {name: str(value) for name, value in change.items()}
    other = open_model("random:" + ",".join(f"{k}={v}" for k, v in parts.items()))
    core = simulator()
    core.load(image("small", 3))
    other = Program(other.model, HwConfig(2, 4, 4, reload=True))
    words = model_image(other.model, other.layout, other.limits)
    assert core.load(words) is Refusal.SHAPE
    assert core.is_loaded and is_model(core, model("small", 3))


@pytest.mark.parametrize("hw", [HwConfig(2, 4, 8, reload=True), HwConfig(2, 4, 4, "3in5")])
def test_other_sizes_leave_the_model(hw):
    core, loaded = simulator(), model("small", 3)
    core.load(image("small", 3))
    layout = Program(loaded, hw).layout
    assert core.load(model_image(loaded, layout, program().limits)) is Refusal.SHAPE
    assert core.is_loaded and is_model(core, loaded)


def test_reset_midway():
    """While words come, and at every stage of the sweep."""
    words, core = image("small", 2), simulator()
    simulation = core.simulation
    sweep = READ_CYCLES * sum(len(entry.writes) for entry in program().contents)
    cycles = WORD_CYCLES * len(words)
    rng = random.Random(8)
    places = [rng.randrange(10, cycles) for _ in range(10)]
    places += [cycles + rng.randrange(1, sweep - READ_CYCLES * 8) for _ in range(10)]
    for place in places:
        assert core.load(image("small", 3)) is Refusal.NONE
        begin(core)
        core._load_words.feed(words)
        simulation.step(place)
        core._abort()
        simulation.step(cycles + sweep)
        assert not core.is_loaded and core._load_status().refusal is Refusal.ABORTED
        # and it starts nothing
        simulation.set("start", 1)
        simulation.step()
        simulation.set("start", 0)
        assert not simulation.get("busy")
    assert core.load(words) is Refusal.NONE and is_model(core, model("small", 2))


def begin(core: CoreSimulator) -> None:
    core.simulation.set("load_begin", 1)
    core.simulation.step()
    core.simulation.set("load_begin", 0)


@pytest.mark.parametrize("offset", range(2 * WORD_CYCLES + 2))
def test_begun_again(offset):
    """In every cycle in and after a word, the last one of a write among them."""
    words, core = image("small", 2), simulator()
    core.load(image("small", 3))
    begin(core)
    core._load_words.feed(words[:100])
    core.simulation.step(99 * WORD_CYCLES + offset)
    assert core.load([0]) is Refusal.SHAPE and not core.is_loaded
    assert core.load(words) is Refusal.NONE and is_model(core, model("small", 2))


def test_aborted_at_the_end():
    """In every cycle around the last one of the sweep: loaded only if it was not refused."""
    words, core = image("small", 2), simulator()
    core.load(words)
    begin(core)
    core._load_words.feed(words)
    start = core.simulation.cycles
    while core._load_status().loading:
        core.simulation.step()
    duration = core.simulation.cycles - start
    for early in range(4):
        begin(core)
        core._load_words.feed(words)
        core.simulation.step(duration - early)
        core._abort()
        refusal = core._load_status().refusal
        assert refusal is (Refusal.ABORTED if early else Refusal.NONE)
        assert core.is_loaded is (refusal is Refusal.NONE)


def test_not_while_busy():
    core = simulator()
    core.load(image("small", 3))
    run = core.generate([1], 8, SamplingSettings())
    tokens = [next(run)[0]]
    begin(core)
    assert not core._load_status().loading
    tokens += [token for token, _ in run]
    assert tokens == list(Reference(model("small", 3)).generate([1], 8, SamplingSettings()))


def with_checksum(words: list[int]) -> list[int]:
    """The image with the CRC of what it has now."""
    return [*words[:-1], checksum(words[:-1])]


@pytest.mark.parametrize("shape", ["small", "3in5, two digits"])
def test_memories_that_do_not_hold_what_was_written(shape):
    """A bit that differs from what the signature was made of, in every section and anywhere: as
    if it had changed after it was written."""
    words, core = image(shape, 2), simulator(shape)
    places = []
    rng = random.Random(9)
    for section, start in section_starts(shape):
        for _ in range(8 * section.swept):
            write, bit = rng.randrange(section.parts * section.depth), rng.randrange(section.width)
            places.append((start + write * section.units + bit // 32, bit % 32))
    for place, bit in places:
        changed = list(words)
        changed[place] ^= 1 << bit
        assert core.load(with_checksum(changed)) is Refusal.READBACK, (place, bit)
        assert not core.is_loaded
    changed = list(words)
    changed[-2] ^= 1 << 5
    assert core.load(with_checksum(changed)) is Refusal.READBACK
    assert core.load(words) is Refusal.NONE and is_model(core, model(shape, 2))
