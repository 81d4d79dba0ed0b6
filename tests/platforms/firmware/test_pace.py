"""The firmware with a core that takes long: the peer hears of it, and its counts are whole."""

import pytest

from gateformer.gateware.host.registers import register
from gateformer.platforms.console.answer import AnswerReader, Kind
from gateformer.platforms.console.link import SerialLink
from gateformer.platforms.firmware import streamed
from gateformer.platforms.firmware.model import START_CYCLES
from gateformer.platforms.firmware.pace import SIGN_OF_LIFE, SIGN_OF_LIFE_MS
from tests.support.console.stand_in_core import VOCABULARY
from tests.support.fake_registers import FakeRegisters

from . import streamed_bench
from .bench import END, Device, identification

SLOW_NS = 1e6
"""Of an access, so that seconds of the processor's time pass quickly."""
TOKENS = (5, 6)


class SlowCore(FakeRegisters):
    """Reads its prompt for so many seconds of an emulator, a token each half second; then it has
    two tokens and ends."""

    def __init__(self, seconds: float, **words):
        super().__init__(**identification().constants, **words)
        self.seconds = seconds
        self.device: Device | None = None

    def write(self, offset, value):
        super().write(offset, value)
        if offset == register("CONTROL").offset and value & register("CONTROL").field("start").mask:
            self.begun, self.left = self.device.emulator.seconds, list(TOKENS)

    def read(self, offset):
        if self.device is None or offset not in (
            register("STATUS").offset,
            register("OUTPUT").offset,
        ):
            return super().read(offset)
        passed = self.device.emulator.seconds - self.begun
        if offset == register("STATUS").offset:
            level = max(int(2 * (self.seconds - passed)), 0)
            done = not self.left
            return register("STATUS").pack(done=done, busy=not done, prompt_level=level)
        if passed < self.seconds or not self.left:
            return 0
        token = self.left.pop(0)
        return register("OUTPUT").pack(valid=1, last=not self.left, token=token)


def device_of(registers: SlowCore) -> Device:
    registers.device = device = Device(registers)
    device.emulator.access_ns = SLOW_NS
    return device


@pytest.mark.parametrize("line", [b"ab", b"/bench"])
def test_a_long_prompt_gives_signs_of_life(line):
    seconds = 10.0
    answer = device_of(SlowCore(seconds)).ask(line + b"\r")
    signs = answer.count(bytes([SIGN_OF_LIFE]))
    assert signs == pytest.approx(seconds * 1e3 / SIGN_OF_LIFE_MS, abs=1)
    reader = AnswerReader()
    pieces = reader.feed(answer.removeprefix(line + b"\r\n"))
    assert reader.complete and answer.endswith(END)
    text = "".join(piece.text for piece in pieces if piece.kind is Kind.TEXT)
    assert text == ("" if line == b"/bench" else "".join(VOCABULARY[token] for token in TOKENS))
    assert not [piece for piece in pieces if piece.kind in (Kind.NOTE, Kind.OTHER)]
    counts = [piece.text for piece in pieces if piece.kind is Kind.INFORMATION]
    assert "text 2 tokens" in counts[-1]


def test_a_short_one_gives_none():
    answer = device_of(SlowCore(SIGN_OF_LIFE_MS / 1e3 - 0.5)).ask(b"ab\r")
    assert bytes([SIGN_OF_LIFE]) not in answer and answer.endswith(END)


def test_a_peer_is_more_patient_than_the_firmware_is_silent(monkeypatch):
    monkeypatch.setattr("serial.Serial", lambda *arguments, **options: None)
    assert SerialLink("port").answer_patience > 2 * SIGN_OF_LIFE_MS / 1e3


@pytest.mark.parametrize("cycles", [2**32 - 1, 2**32 + 7, 3 * 2**32, 2**63])
def test_cycles_of_more_than_32_bits(cycles):
    """They are half a minute at 133 MHz."""
    low, high = (cycles + START_CYCLES) % 2**32, (cycles + START_CYCLES) >> 32
    device = device_of(SlowCore(0.5, CYCLES_LOW=low, CYCLES_HIGH=high))
    for line in (b"ab", b"/bench"):
        assert b", %d cycles, 0 waiting" % cycles in device.ask(line + b"\r")


def test_a_measurement_from_external_memory_ends_early(monkeypatch):
    """A whole context would take minutes."""
    monkeypatch.setattr(streamed, "STREAMED_BENCH", 5)
    monkeypatch.setattr(streamed_bench, "firmware", streamed_bench.firmware.__wrapped__)
    device = streamed_bench.StreamedDevice()
    assert b"# prompt 1 tokens, text 5 tokens, " in device.ask(b"/bench")
    assert b"/bench generates at most 5 tokens and shows the counts" in device.ask(b"/help")
