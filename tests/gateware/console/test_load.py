"""Another model over the serial line, to the console of boards without a processor."""

import dataclasses
import random

import pytest

from gateformer.gateware.compiler.program import Program
from gateformer.gateware.compiler.reload_image import model_image
from gateformer.gateware.console.load import TICK, ImageReceiver
from gateformer.gateware.console.load_messages import LABEL_BYTES, label_text
from gateformer.gateware.plan.hw_config import HwConfig
from tests.support.component_simulation import simulate
from tests.support.console.bench import settled_device
from tests.support.console.load_answers import (
    BROKEN_OFF,
    CHECKSUM,
    KEPT,
    NONE,
    READBACK,
    SHAPE,
)
from tests.support.console.load_bench import (
    SILENCE,
    LoadDevice,
    label,
    model,
    packed,
    program,
    section_starts,
    with_checksum,
    words,
)


@pytest.fixture(scope="module")
def device():
    return LoadDevice()


def loaded(seed):
    return b"# loaded " + label(seed) + b"\r\n"


def test_the_bitstream_s_model_is_there_at_first():
    device = LoadDevice()
    assert device.welcome == b"\r\n# model " + label(1) + b", build 0000beef\r\n\x04> "
    assert device.is_model(1)


def test_models_one_after_the_other(device):
    assert len({device.load(packed(words(seed))) for seed in (1, 2)}) == 2
    for seed in (3, 1, 2):
        assert device.load(packed(words(seed))) == loaded(seed)
        assert device.is_model(seed)
        assert device.reset() == b"\r\n# model " + label(seed) + b", build 0000beef\r\n"
        assert device.is_model(seed)


def test_request_says_what_images_are(device):
    limits = " ".join(str(number) for number in dataclasses.astuple(program().limits))
    line = f"# image {len(words(2))} words, shape {words(2)[0]:08x}, limits {limits}\r\n"
    assert device.request() == line.encode()
    device.read(b"> ")


def test_nothing_comes(device):
    device.load(packed(words(2)))
    assert device.load(b"") == BROKEN_OFF + KEPT
    assert device.load(b"\x03\r\x03") == BROKEN_OFF + KEPT  # Ctrl-C is data, and no word
    assert device.is_model(2)


@pytest.mark.parametrize("seed", range(3))
def test_truncated(device, seed):
    content, rng = packed(words(2)), random.Random(seed)
    ends = [*(4 * start for _, start in section_starts()), len(content) - 1, 4]
    ends += rng.sample(range(4, len(content)), 6)
    for end in ends[seed::3]:
        assert device.load(content[:end]) == BROKEN_OFF + NONE, end
        assert device.has_no_model()
    assert device.load(content) == loaded(2) and device.is_model(2)


def test_faults(device):
    """Flipped bits, lost and doubled bytes, noise: each refused with its cause."""
    content, rng = packed(words(3)), random.Random(4)
    firsts = [4 * start for _, start in section_starts()]
    for number in range(48):
        damaged = bytearray(content)
        at = firsts[number] if number < len(firsts) else rng.randrange(4, len(content) - 12)
        match number % 4:
            case 0:
                damaged[at] ^= 1 << rng.randrange(8)
            case 1:
                damaged[at : at + 8] = (byte ^ rng.randrange(1, 256) for byte in damaged[at:][:8])
            case 2:
                del damaged[at]
            case 3:
                damaged.insert(at, damaged[at])
        expected = BROKEN_OFF if number % 4 == 2 else CHECKSUM
        if bytes(damaged) == content:
            continue
        answer = device.load(bytes(damaged))
        assert answer == expected + NONE, (number, at)
        assert number % 10 or device.has_no_model()
    assert device.load(content) == loaded(3) and device.is_model(3)


def test_another_shape(device):
    """The image of a core without console, other sizes, and no image at all."""
    device.load(packed(words(2)))
    limits = program().limits
    layout = Program(model(3), HwConfig(2, 4, 8, reload=True)).layout
    for image in (
        model_image(model(3), program().layout, limits),
        model_image(model(3), layout, limits),
        [random.Random(7).getrandbits(32) for _ in words(2)],
    ):
        assert device.load(packed(image)) == SHAPE + KEPT
        assert device.is_model(2)
    device.load(packed(words(3))[:100])
    assert device.load(packed(image)) == SHAPE + NONE
    assert device.has_no_model()


def test_memories_that_do_not_hold_what_was_written(device):
    rng = random.Random(9)
    for section, start in section_starts():
        for _ in range(4 * section.swept):
            changed = list(words(2))
            write, bit = rng.randrange(section.parts * section.depth), rng.randrange(section.width)
            changed[start + write * section.units + bit // 32] ^= 1 << bit % 32
            assert device.load(packed(with_checksum(changed))) == READBACK + NONE, section
    assert device.has_no_model()
    assert device.load(packed(words(2))) == loaded(2) and device.is_model(2)


def test_what_comes_after_a_refusal_is_no_line(device):
    """Pauses that are shorter than the silence among it."""
    device.load(packed(words(2)))
    device.request()
    for piece in (b"another shape", b"\r/seed 77\r", b"\x03\r", b"/temperature 2\r"):
        device.feed(piece)
        device.simulation.step(SILENCE - 500)
    assert device.read(b"> ") == SHAPE + KEPT + b"\x04> "
    assert device.ask(b"/seed") != b"# seed 77\r\n"
    assert device.is_model(2)


def test_pauses_within_an_image(device):
    content = packed(words(3))
    device.request()
    for start in range(0, len(content), 2000):
        device.feed(content[start : start + 2000])
        device.simulation.step(2000 + SILENCE - 500)
    assert device.read(b"> ") == loaded(3) + b"\x04> "


def test_reset_midway(device):
    """While bytes come, and at every stage of the sweep."""
    content, rng = packed(words(2)), random.Random(8)
    sweep = 16 * sum(s.parts * s.depth for s, _ in section_starts() if s.swept)
    places = [rng.randrange(20, len(content)) for _ in range(5)]
    places += [len(content) + rng.randrange(1, sweep - 200) for _ in range(5)]
    for place in places:
        assert device.load(packed(words(3))) == loaded(3)
        device.request()
        device.feed(content)
        device.simulation.step(place)
        device.simulation.set("reset", 1)
        device.simulation.step(len(content))
        assert device.reset() == b"\r\n# no model\r\n"
        assert device.has_no_model()
    assert device.load(content) == loaded(2) and device.is_model(2)


def test_help_names_it(device):
    assert b"# /load takes the image of another model\r\n" in device.ask(b"/help")
    assert device.ask(b"/load x") == b"! unknown command; /help lists them\r\n"


def test_unknown_without_reload():
    answer = settled_device().ask(b"/load\r")
    assert answer == b"/load\r\n! unknown command; /help lists them\r\n\x04> "


def test_label_is_cut_at_a_character():
    digest = "0123456789abcdef" * 4
    short = label_text("tïny\n", digest)
    assert short.rstrip("\0") == "tïny?, digest 0123456789abcdef"
    assert len(short.encode()) == LABEL_BYTES
    for length in range(90, 130):
        text = label_text("ï" * length, digest)
        assert len(text.encode()) == LABEL_BYTES
        name, _, digits = text.rstrip("\0").partition(", ")
        assert digits == "digest 0123456789abcdef"
        assert name == "ï" * (len(name) - 1) + "…"


def test_words_and_silence():
    """Four bytes are a word, whatever lies between them; silence begins with the last one."""
    ticks = 2
    receiver = ImageReceiver(silence=ticks * TICK - 5)

    async def testbench(ctx):
        rng, taken = random.Random(3), []
        ctx.set(receiver.words.ready, 1)

        async def tick():
            if ctx.get(receiver.words.valid):
                taken.append(ctx.get(receiver.words.payload))
            await ctx.tick()

        async def send(byte):
            ctx.set(receiver.bytes.payload, byte)
            ctx.set(receiver.bytes.valid, 1)
            await tick()
            ctx.set(receiver.bytes.valid, 0)

        image = [rng.getrandbits(32) for _ in range(20)]
        await send(0xAA)
        ctx.set(receiver.clear, 1)
        await tick()
        ctx.set(receiver.clear, 0)
        for byte in packed(image):
            await send(byte)
            for _ in range(rng.choice((0, 0, 1, 30))):
                await tick()
        await tick()
        await send(0x55)
        quiet = 0
        while not ctx.get(receiver.silent):
            await tick()
            quiet += 1
        assert ticks * TICK - 5 <= quiet < ticks * TICK + 8
        assert taken == image
        await send(0x55)
        await tick()
        assert not ctx.get(receiver.silent)

    simulate(receiver, testbench)
