"""/load of the firmware on registers that misbehave: always an answer, and no image for others."""

import random

import pytest

from gateformer.gateware.host.identification import Identification
from gateformer.gateware.host.registers import register
from gateformer.platforms.simulation.simulated_registers import BUILD_ID, BusError
from tests.support.console.load_bench import packed, program
from tests.support.fake_registers import MASKS, FakeRegisters

from .bench import END
from .load_bench import TABLES, LoadDevice, words

SLOW_NS = 1e6


def identification() -> dict[str, int]:
    return Identification.of(program(), BUILD_ID, 125_000).constants


@pytest.mark.parametrize(
    "changes, said",
    [
        ({"MAGIC": 0x31465447}, "MAGIC reads 31465447, expected 32465447"),
        ({"CTX_LEN": 25}, "CTX_LEN reads 00000019, expected 00000018"),
        ({"ARRAY_LANES": 8}, "ARRAY_LANES reads 00000008, expected 00000004"),
        ({"RELOAD_LIMITS": 1}, "RELOAD_LIMITS reads 00000001, expected {limits:08x}"),
    ],
)
def test_another_accelerator_gets_no_image(changes, said):
    right = identification()
    device = LoadDevice(FakeRegisters(LOAD_STATUS=1, **(right | changes)))
    said = said.format(limits=right["RELOAD_LIMITS"])
    refusal = f"! {said}; load this firmware's bitstream, then type /info\r\n"
    assert device.ask(b"/load") == refusal.encode()


def test_no_bitstream():
    device = LoadDevice(FakeRegisters(), configured=False)
    assert device.ask(b"/load") == b"! the fabric has no bitstream; load it, then type /info\r\n"


def test_a_core_that_does_not_begin():
    device = LoadDevice(FakeRegisters(LOAD_STATUS=1, ERROR=0x200, **identification()))
    refusal = b"! the core refuses: ERROR reads 00000200; reset the board\r\n"
    assert device.ask(b"/load") == refusal


@pytest.mark.parametrize("status", [0b00011, 0b00010, 0b11110, 0b00111])
def test_a_core_that_never_decides(status):
    fake = FakeRegisters(LOAD_STATUS=status, **identification())
    device = LoadDevice(fake)
    device.request()
    content = packed(words(1))
    assert not device.feed(content[:-4])
    device.emulator.access_ns = SLOW_NS
    before = device.emulator.seconds
    answer = device.feed(content[-4:]) or device.silence(1.1)
    assert 2 <= device.emulator.seconds - before < 5
    assert answer == b"! the core does not answer; reset the board\r\n" + END
    data = [word for offset, word in fake.written if offset == register("LOAD_DATA").offset]
    assert data == words(1)[TABLES:]
    assert fake.written[-1][0] == register("CONTROL").offset  # aborted


@pytest.mark.parametrize("seed", range(6))
def test_random_registers(seed):
    """Whatever they say, /load has an answer."""
    rng = random.Random(seed)
    fake = FakeRegisters(
        lambda offset: rng.getrandbits(32) & MASKS.get(offset, 0xFFFFFFFF), **identification()
    )
    device = LoadDevice(fake)
    answer = device.feed(b"/load\r")
    if answer.endswith(b"\x05"):
        answer = device.feed(packed(words(1)))
        for _ in range(30):
            answer += b"" if answer else device.silence(0.2)
    assert answer.endswith(END)


def test_a_refused_access_ends_it():
    """The fabric is another one suddenly: the rest of the image is no line."""
    fake, content = FakeRegisters(LOAD_STATUS=3, **identification()), packed(words(1))
    device = LoadDevice(fake)
    device.request()

    def refuse(offset, value):
        raise BusError("DECERR")

    fake.write = refuse
    assert not device.feed(content + b"/seed 7\r")
    answer = device.silence(1.1)
    assert answer.startswith(b"\r\n! data abort at 001") and answer.endswith(END)
    assert device.ask(b"/seed") == b"# seed 1\r\n"
