"""The firmware of a core that can be loaded, on the emulated processor; images of models for it."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

from gateformer.gateware.console.load_messages import ENQ
from gateformer.gateware.host.identification import Identification
from gateformer.platforms.boards.board import board
from gateformer.platforms.firmware.build import build_firmware
from gateformer.platforms.firmware.elf_file import Program, read_elf
from gateformer.platforms.firmware.image import firmware_image, table_words
from gateformer.platforms.firmware.model import UART_BASES
from gateformer.platforms.firmware.zynq_emulator import ZynqEmulator
from gateformer.platforms.simulation.simulated_registers import BUILD_ID, SimulatedRegisters
from tests.support.console.load_bench import COUNT, label, model, program, reference

from .bench import END, SPEEDUP

SILENCE = 1.0
REQUEST = b"/load\r"
TABLES = table_words(program().model.config.vocab_size)
"""Words of an image that are the firmware's."""


@functools.cache
def words(seed: int) -> list[int]:
    """The image of a model called ``m`` and its number."""
    return firmware_image(model(seed), program().layout, program().limits, name=f"m{seed}")


@functools.cache
def registers() -> SimulatedRegisters:
    """The same simulation for all tests of a process; at first, with model 1."""
    return SimulatedRegisters(program())


@functools.cache
def firmware() -> Program:
    """That of model 1."""
    identification = Identification.of(program(), BUILD_ID, 125_000)
    with tempfile.TemporaryDirectory() as directory:
        elf, *_ = build_firmware(
            model(1), "m1", identification, board("zybo").processor, Path(directory)
        )
        return read_elf(elf.read_bytes())


class LoadDevice:
    """A booted processor."""

    def __init__(self, behind=None, *, speedup: float = SPEEDUP, **options):
        self.emulator = ZynqEmulator(
            firmware(),
            behind or registers(),
            uart_base=UART_BASES[board("zybo").processor.uart],
            line_speedup=speedup,
            **options,
        )
        self.welcome = self.emulator.run()

    def feed(self, items) -> bytes:
        self.emulator.uart.arrive(items)
        return self.emulator.run()

    def ask(self, line: bytes) -> bytes:
        """The answer of a line, without its echo and end."""
        answer = self.feed(line + b"\r")
        assert answer.startswith(line + b"\r\n") and answer.endswith(END), answer
        return answer.removeprefix(line + b"\r\n").removesuffix(END)

    def request(self) -> bytes:
        """The firmware waits for an image; its line about it."""
        answer = self.feed(REQUEST)
        assert answer.startswith(b"/load\r\n") and answer[-1] == ENQ, answer
        return answer.removeprefix(b"/load\r\n")[:-1]

    def silence(self, seconds: float = SILENCE) -> bytes:
        """What is sent after so much time in which nothing comes."""
        self.emulator.wait(seconds)
        return self.emulator.run()

    def load(self, items) -> bytes:
        """What the firmware says of the bytes of an image."""
        self.request()
        answer = self.feed(items)
        if not answer:
            assert not self.silence(0.9 * SILENCE)
            answer = self.silence(0.2 * SILENCE)
        assert answer.endswith(END), answer
        return answer.removesuffix(END)

    def is_model(self, seed: int) -> bool:
        """Texts, name and digest are those of that model."""
        self.ask(b"/top-k 0")
        self.ask(b"/tokens %d" % COUNT)
        for temperature in (0.0, 1.5):
            self.ask(b"/temperature %.1f" % temperature)
            self.ask(b"/seed 5")
            answer = self.ask(b"AB")
            if not answer.startswith(b"\x02" + reference(seed, "AB", temperature) + b"\x03"):
                return False
        return self.ask(b"/info").startswith(b"# model " + label(seed) + b", build 51a1a7ed\r\n")

    def has_no_model(self) -> bool:
        refusal = b"! no model; /load one\r\n"
        answers = {self.ask(line) for line in (b"AB", b"/bench")}
        info = self.ask(b"/info")
        return answers == {refusal} and info.startswith(b"# no model\r\n# n_layers 1, d_model 8")
