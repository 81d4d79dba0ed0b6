"""The firmware on registers that misbehave: always an answer, whatever they say."""

import random

import pytest

from gateformer.gateware.host.registers import register
from gateformer.platforms.simulation.simulated_registers import BusError
from tests.support.console.stand_in_core import VOCABULARY
from tests.support.fake_registers import MASKS, FakeRegisters

from .bench import END, Device, firmware_model, identification

SLOW_NS = 1e6
"""Of an access, where seconds of the processor's time are to pass quickly."""


@pytest.mark.parametrize(
    "changes, said",
    [
        ({"MAGIC": 0xDEADBEEF}, "MAGIC reads deadbeef, expected 31465447"),
        ({"SPEC_VERSION": 2}, "SPEC_VERSION reads 00000002, expected 00000001"),
        ({"VOCAB_SIZE": 65}, "VOCAB_SIZE reads 00000041, expected 00000040"),
        ({"CTX_LEN": 25}, "CTX_LEN reads 00000019, expected 00000018"),
        ({"ARTIFACT_HASH_0": 0x01234567}, "ARTIFACT_HASH reads 01234567{0}{1}, expected {2}"),
        ({"ARTIFACT_HASH_7": 0}, "ARTIFACT_HASH reads {3}{0}00000000, expected {2}"),
    ],
)
def test_another_accelerator_is_refused(changes, said):
    digest = identification().digest
    refusal = f"\r\n! {said}; load this firmware's bitstream, then type /info\r\n".format(
        digest[8:56], digest[56:], digest, digest[:8]
    ).encode()
    right = identification().constants
    registers = FakeRegisters(**(right | changes))
    device = Device(registers)
    assert device.welcome == refusal + END
    for line in (b"ab", b"/bench", b"/info"):
        assert device.ask(line + b"\r") == line + refusal + END
    assert device.ask(b"/seed 5\r") == b"/seed 5\r\n# seed 5\r\n" + END
    # nothing was written but the way to the fabric
    assert registers.written == []
    registers.words |= FakeRegisters(**right).words
    assert device.ask(b"/info\r").startswith(b"/info\r\n# model ")


def test_no_bitstream():
    device = Device(configured=False)
    refusal = b"\r\n! the fabric has no bitstream; load it, then type /info\r\n" + END
    assert device.welcome == refusal
    assert device.ask(b"ab\r") == b"ab" + refusal
    device.emulator.control.configured = True
    assert device.ask(b"/info\r").startswith(b"/info\r\n# model ")
    model = firmware_model()
    assert device.ask(b"ab\r") == b"".join(map(model.handle, b"ab\r"))


@pytest.mark.parametrize("line, text", [(b"ab", b"\x02\x03\r\n"), (b"/bench", b"")])
def test_a_core_that_never_answers(line, text):
    registers = FakeRegisters(STATUS=1, **identification().constants)
    device = Device(registers)
    device.emulator.access_ns = SLOW_NS
    before = device.emulator.seconds
    refusal = b"! the core does not answer; reset the board\r\n"
    assert device.ask(line + b"\r") == line + b"\r\n" + text + refusal + END
    assert 2 <= device.emulator.seconds - before < 3
    offset, word = registers.written[-1]
    assert offset == register("CONTROL").offset and word & 2  # aborted
    assert device.ask(b"/tokens\r") == b"/tokens\r\n# tokens 0\r\n" + END


def test_a_core_that_dies_within_a_text():
    answers = [1 << 31 | 5, 1 << 31 | 6]
    registers = FakeRegisters(STATUS=1, **identification().constants)
    registers.other = lambda offset: (
        answers.pop(0) if offset == register("OUTPUT").offset and answers else 0
    )
    device = Device(registers)
    device.emulator.access_ns = SLOW_NS
    text = "".join(VOCABULARY[token] for token in (5, 6)).encode()
    assert device.ask(b"ab\r").startswith(b"ab\r\n\x02" + text + b"\x03\r\n! the core does")


def test_errors_of_the_core_are_told():
    registers = FakeRegisters(ERROR=0x81, **identification().constants)
    assert Device(registers).ask(b"ab\r") == (
        b"ab\r\n\x02\x03\r\n! the core refuses: ERROR reads 00000081; reset the board\r\n" + END
    )


@pytest.mark.parametrize("name", ["MAGIC", "OUTPUT", "STATUS"])
def test_a_refused_access(name):
    """What answers there is something else: the processor gets a data abort, and goes on."""

    class Refusing(FakeRegisters):
        def read(self, offset):
            if offset == register(name).offset:
                raise BusError("DECERR")
            return super().read(offset)

    device = Device(Refusing(**identification().constants))
    device.emulator.access_ns = SLOW_NS
    for _ in range(2):
        answer = device.ask(b"ab\r")
        assert b"\r\n! data abort at 001" in answer
        assert answer.endswith(b"; load this firmware's bitstream, then type /info\r\n" + END)
    assert device.ask(b"/seed\r").startswith(b"/seed\r\n# seed ")


@pytest.mark.parametrize("seed", range(12))
def test_random_registers(seed):
    """Whatever they say, every line gets an answer."""
    rng = random.Random(seed)
    legal = seed % 3 > 0
    registers = FakeRegisters(
        lambda offset: rng.getrandbits(32) & (MASKS[offset] if legal else 0xFFFFFFFF),
        **identification().constants,
    )
    if seed % 2:
        registers.words[register("ERROR").offset] = 0
    device = Device(registers)
    device.emulator.access_ns = SLOW_NS
    for line in (b"ab", b"/bench", b"/info", b"/seed 3"):
        answer = device.ask(line + b"\r")
        assert answer.startswith(line + b"\r\n") and answer.endswith(END)
