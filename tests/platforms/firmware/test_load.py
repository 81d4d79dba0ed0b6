"""Another model over the serial line, to the firmware of a Zynq board."""

import dataclasses
import random

import pytest

from gateformer.gateware.compiler.reload_image import checksum, model_image
from gateformer.platforms.firmware.emulated_uart import DAMAGED
from gateformer.platforms.firmware.image import firmware_image
from tests.support.console.load_answers import (
    BROKEN_OFF,
    CHECKSUM,
    KEPT,
    NONE,
    READBACK,
    SHAPE,
)
from tests.support.console.load_bench import label, model, packed, program, section_starts
from tests.support.console.stand_in_core import VOCABULARY

from .bench import CTRL_C, END, WALL_CLOCK, Device, firmware_model, with_every_kind_of_text
from .load_bench import TABLES, LoadDevice, words


def loaded(seed):
    return b"# loaded " + label(seed) + b"\r\n"


@pytest.fixture
def device():
    """With model 2, which is not the one that the firmware was built with."""
    device = LoadDevice()
    assert device.load(packed(words(2))) == loaded(2)
    return device


@pytest.mark.slow
def test_models_one_after_the_other(device):
    for seed in (3, 1, 2):
        assert device.load(packed(words(seed))) == loaded(seed)
        assert device.is_model(seed)


def test_texts_of_every_kind(device):
    """Tables that were loaded are those of a firmware that is built with the model: control
    characters, long ones, tokens without a text, typed and shown; and all the temperatures."""
    chosen, expected = with_every_kind_of_text(), firmware_model()
    image = firmware_image(chosen.model, program().layout, program().limits, name=chosen.name)
    assert device.load(packed(image)).startswith(b"# loaded " + chosen.name.encode())
    rng = random.Random(3)
    lines = [b"/bench", b"/top-k 9", "aä€\u2028".encode(), b"\\n\xff"]
    for hundredths in rng.sample(range(256), 20):
        prompt = "".join(rng.choices([text for text in VOCABULARY if text not in "/\n\x7f\\"], k=9))
        lines += [b"/temperature %d.%02d" % divmod(hundredths, 100), prompt.encode()]
    for line in lines:
        content = b"".join(map(expected.handle, line + b"\r"))
        answer = device.feed(line + b"\r")
        assert WALL_CLOCK.sub(b"", answer) == content, line


def test_settings_stay(device):
    device.ask(b"/temperature 1.25")
    assert device.load(packed(words(3))) == loaded(3)
    assert device.ask(b"/temperature") == b"# temperature 1.25\r\n"


def test_request_says_what_images_are(device):
    limits = " ".join(str(number) for number in dataclasses.astuple(program().limits))
    line = f"# image {len(words(3))} words, shape {words(3)[0]:08x}, limits {limits}\r\n"
    assert device.request() == line.encode()
    assert not device.silence(0.99)
    assert device.silence(0.02) == BROKEN_OFF + KEPT + END
    assert device.is_model(2)


def test_nothing_that_counts_comes(device):
    assert device.load([CTRL_C, 0x0D, CTRL_C]) == BROKEN_OFF + KEPT  # data, and no word
    assert device.is_model(2)


def test_pauses_within_an_image(device):
    content = packed(words(3))
    device.request()
    for start in range(0, len(content), 1000):
        assert not device.silence(0.98)
        answer = device.feed(content[start : start + 1000])
    assert answer == loaded(3) + END
    assert device.is_model(3)


@pytest.mark.parametrize("part", range(3))
def test_truncated(part):
    device = LoadDevice()
    content, rng = packed(words(3)), random.Random(part)
    firsts = [4 * (TABLES + start) for _, start in section_starts()[:-2]]
    ends = [*firsts, 1, 4, 4 * TABLES, 4 * TABLES + 3, 4 * TABLES + 4, len(content) - 1]
    ends += [rng.randrange(4, len(content)) for _ in range(6)]
    for end in ends[part::3]:
        device.load(packed(words(2)))
        kept = end < 4 * TABLES + 4
        assert device.load(content[:end]) == BROKEN_OFF + (KEPT if kept else NONE), end
        assert device.is_model(2) if kept else device.has_no_model()
    assert device.load(content) == loaded(3) and device.is_model(3)


@pytest.mark.slow
def test_faults():
    """Flipped bits, noise, lost and doubled bytes, anywhere: each refused with its cause."""
    assert fuzzed(0, 40) == {CHECKSUM, BROKEN_OFF, SHAPE}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("seed", "count"),
    [(0, 100), *(pytest.param(seed, 500, marks=pytest.mark.full_size) for seed in range(1, 4))],
)
def test_many_faults(seed, count):
    assert fuzzed(100 + seed, count) == {CHECKSUM, BROKEN_OFF, SHAPE}


def fuzzed(seed: int, count: int) -> set[bytes]:
    """The causes that were told of so many damaged images; now and then a good one comes."""
    rng, device, causes, old = random.Random(seed), LoadDevice(), set(), 1
    device.load(packed(words(old)))
    for number in range(count):
        content = packed(words(rng.choice([1, 2, 3])))
        cause, damaged, at = damage(rng, content)
        answer = device.load(damaged)
        # the core has begun to write when a good first word of its part has come
        gone = old is None or at >= 4 * TABLES + 4
        assert answer == cause + (NONE if gone else KEPT), (seed, number, at)
        causes.add(cause)
        if number % 6 == 0:
            assert device.has_no_model() if gone else device.is_model(old)
        old = None if gone else old
        if rng.random() < 0.4:
            old = rng.choice([1, 2, 3])
            assert device.load(packed(words(old))) == loaded(old)
            assert number % 5 or device.is_model(old)
    return causes


def damage(rng, content: bytes) -> tuple[bytes, bytes, int]:
    """(the cause of the refusal, the bytes, where they begin to differ)."""
    at = rng.randrange(len(content) - 8)
    if rng.random() < 0.3:
        at = rng.choice([0, 4 * TABLES]) + rng.randrange(4)  # in a first word
    damaged, kind = bytearray(content), rng.randrange(4)
    if kind == 0:
        damaged[at] ^= 1 << rng.randrange(8)
    elif kind == 1:
        for i in range(at, min(at + rng.randrange(2, 40), len(damaged))):
            damaged[i] ^= rng.randrange(1, 256)
    elif kind == 2:
        while damaged[at] == damaged[at + 1]:
            at += 1
        del damaged[at]
    else:
        while damaged[at] == damaged[at + 1]:
            at += 1
        damaged.insert(at, damaged[at + 1])
    differs = next(i for i in range(len(damaged)) if damaged[i] != content[i])
    in_a_first_word = differs < 4 or 4 * TABLES <= differs < 4 * TABLES + 4
    if in_a_first_word:
        return SHAPE, bytes(damaged), differs
    # a byte is missing at the end, unless the tables, where each counts, were wrong before
    missing = kind == 2 and differs >= 4 * TABLES
    return BROKEN_OFF if missing else CHECKSUM, bytes(damaged), differs


def test_other_shapes(device):
    """The image of a core without its firmware, that of a gateware console, and no image."""
    core = model_image(model(3), program().layout, program().limits)
    shape = [words(3)[TABLES] ^ 1, *words(3)[TABLES + 1 :]]
    for image in (core, [*words(3)[:TABLES], *shape], [7] * len(words(3))):
        assert device.load(packed(image)) == SHAPE + KEPT
        assert device.is_model(2)


def test_memories_that_do_not_hold_what_was_written(device):
    rng = random.Random(9)
    for section, start in section_starts()[:-2]:
        if section.swept:
            changed = words(3)[TABLES:]
            write, bit = rng.randrange(section.parts * section.depth), rng.randrange(section.width)
            changed[start + write * section.units + bit // 32] ^= 1 << bit % 32
            changed[-1] = checksum(changed[:-1])
            assert device.load(packed([*words(3)[:TABLES], *changed])) == READBACK + NONE, section
            assert device.has_no_model()
    assert device.load(packed(words(3))) == loaded(3) and device.is_model(3)


def test_what_comes_after_a_refusal_is_no_line(device):
    """Pauses that are shorter than the silence among it."""
    device.request()
    for piece in (b"another shape", b"\r/seed 77\r", b"\x03\r", b"/temperature 2\r"):
        assert not device.feed(piece)
        assert not device.silence(0.98)
    assert device.silence(0.03) == SHAPE + KEPT + END
    assert device.ask(b"/seed") == b"# seed 1\r\n"
    assert device.is_model(2)


def test_damaged_bytes_are_judged_by_the_checksum(device):
    """A byte without a stop bit is received as 0; afterwards, no line counts as damaged."""
    content = list(packed(words(3)))
    at = next(i for i in range(4 * TABLES + 100, len(content)) if content[i])
    content[at] = DAMAGED
    assert device.load(content) == CHECKSUM + NONE
    assert device.ask(b"/seed") == b"# seed 1\r\n"
    zero = next(i for i in range(4 * TABLES + 100, len(content)) if content[i] == 0)
    content = list(packed(words(3)))
    content[zero] = DAMAGED
    assert device.load(content) == loaded(3)
    assert device.ask(b"/seed") == b"# seed 1\r\n"
    assert device.is_model(3)


def test_what_comes_with_enter_is_no_image(device):
    """Bytes before ENQ, and Ctrl-C, are dropped."""
    device.emulator.uart.arrive(b"/load\rxyz\x03uvw")
    assert device.emulator.run().endswith(b"\x05")
    assert device.feed(packed(words(3))).endswith(END)


def test_a_reset_midway():
    """Of the processor alone, or with the core: another start of the program."""
    content, rng = packed(words(2)), random.Random(8)
    for place in (20, 4 * TABLES + 2, 4 * TABLES + 40, *(rng.randrange(6000) for _ in range(2))):
        device = LoadDevice()
        assert device.load(packed(words(1))) == loaded(1)
        device.request()
        device.feed(content[:place])
        again = LoadDevice()
        if place < 4 * TABLES + 4:
            assert again.welcome == b"\r\n# model " + label(1) + b", build 51a1a7ed\r\n" + END
            assert again.is_model(1)
        else:
            assert again.welcome == b"\r\n# no model\r\n" + END
            assert again.has_no_model()
        assert again.load(content) == loaded(2) and again.is_model(2)


def test_a_program_that_begins_with_an_unknown_model(device):
    """What it knows is what it was built with; /load and the bitstream help."""
    again = LoadDevice()
    refusal = (
        f"! ARTIFACT_HASH reads {model(2).digest}, expected {model(1).digest}; /load a model, or "
        "load this firmware's bitstream, then type /info\r\n"
    ).encode()
    assert again.welcome == b"\r\n" + refusal + END
    assert {again.ask(line) for line in (b"AB", b"/info", b"/bench")} == {refusal}
    assert again.load(packed(words(3))) == loaded(3) and again.is_model(3)


def test_a_bitstream_is_loaded_under_a_program_that_runs(device):
    """The core is model 1's again; /info looks, and a line typed for the other model is refused."""
    other = LoadDevice()
    assert other.load(packed(words(1))) == loaded(1)
    assert b"! ARTIFACT_HASH reads " in device.ask(b"AB")
    assert device.ask(b"/info").startswith(b"# model " + label(1))
    assert device.is_model(1)


def test_help_names_it(device):
    assert b"# /load takes the image of another model\r\n" in device.ask(b"/help")
    assert device.ask(b"/load x") == b"! unknown command; /help lists them\r\n"


def test_unknown_without_reload():
    answer = Device().ask(b"/load\r")
    assert answer == b"/load\r\n! unknown command; /help lists them\r\n" + END


@pytest.mark.slow
def test_no_byte_is_lost_at_the_line_s_speed(device):
    """With 40 processor cycles per instruction, as without caches."""
    slow = LoadDevice(speedup=1.0, cycles_per_instruction=40)
    begun = slow.emulator.seconds
    assert slow.load(packed(words(1))) == loaded(1)
    line = 10 * len(packed(words(1))) / 115_200
    assert line < slow.emulator.seconds - begun < 1.1 * line
    assert slow.is_model(1)
