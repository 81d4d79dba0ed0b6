"""The firmware on the emulated processor, and the console's Python model beside it."""

import dataclasses
import functools
import re
import tempfile
from pathlib import Path

from gateformer.gateware.console.texts import ConsoleTexts
from gateformer.gateware.host.identification import Identification
from gateformer.model.contract.artifact import Artifact
from gateformer.platforms.boards.board import board
from gateformer.platforms.firmware.build import build_firmware
from gateformer.platforms.firmware.elf_file import Program, read_elf
from gateformer.platforms.firmware.emulated_uart import DAMAGED
from gateformer.platforms.firmware.model import UART_BASES
from gateformer.platforms.firmware.zynq_emulator import ZynqEmulator
from gateformer.platforms.simulation.simulated_registers import BUILD_ID
from tests.support.console.model import MARK, ConsoleModel
from tests.support.console.stand_in_core import NAME, VOCABULARY
from tests.support.small_accelerator import (
    artifact,
    predicted_cycles,
    program,
    reference_tokens,
    simulated_registers,
)

END = b"\x04> "
CTRL_C = 0x03
SPEEDUP = 200.0
WALL_CLOCK = re.compile(rb"# wall clock (\d+) us\r\n")


@functools.cache
def with_every_kind_of_text() -> Artifact:
    """The small model with a vocabulary that has control characters, long ones and empty ones."""
    model = dataclasses.replace(artifact().model, vocabulary=VOCABULARY)
    return Artifact(NAME, model, {}, {}, "")


def identification(**changes) -> Identification:
    """That of the simulated accelerator, whatever vocabulary the firmware has."""
    model = artifact().model
    facts = Identification(model.config, program().hw, model.digest, BUILD_ID, 125_000)
    return dataclasses.replace(facts, **changes)


@functools.cache
def firmware(identification: Identification) -> Program:
    with tempfile.TemporaryDirectory() as directory:
        chosen = with_every_kind_of_text()
        elf, *_ = build_firmware(
            chosen.model, chosen.name, identification, board("zybo").processor, Path(directory)
        )
        return read_elf(elf.read_bytes())


def emulator(registers=None, *, speedup=SPEEDUP, facts=None, **options) -> ZynqEmulator:
    """A processor that has not begun yet."""
    return ZynqEmulator(
        firmware(facts or identification()),
        registers or simulated_registers(),
        uart_base=UART_BASES[board("zybo").processor.uart],
        line_speedup=speedup,
        **options,
    )


class Device:
    """A booted processor; ``wall_clocks`` are the times in us that /bench has told."""

    def __init__(self, registers=None, **options):
        self.emulator = emulator(registers, **options)
        self.wall_clocks = []
        self.welcome = self.emulator.run()

    def ask(self, items) -> bytes:
        """What comes back; damaged items come alone, so that they damage nothing else."""
        answer, begin, items = b"", 0, list(items)
        for i, item in enumerate(items):
            if item is MARK:
                answer += self._ask(items[begin:i]) + self._ask([DAMAGED])
                begin = i + 1
        return answer + self._ask(items[begin:])

    def _ask(self, items) -> bytes:
        self.emulator.uart.arrive(items)
        content = self.emulator.run()
        self.wall_clocks += [int(time) for time in WALL_CLOCK.findall(content)]
        return WALL_CLOCK.sub(b"", content)


def firmware_model() -> ConsoleModel:
    """What the console has to answer, without the wall clock."""
    chosen = with_every_kind_of_text()
    model = chosen.model

    def generate(prompt, count, settings):
        tokens = reference_tokens(prompt, count or 2**16 - 1, settings, model)
        cycles = predicted_cycles(
            len(prompt),
            len(tokens),
            sampled=not settings.greedy,
            top_k=settings.top_k > 0 and not settings.greedy,
        )
        return tokens, cycles

    info = ConsoleTexts(chosen.name, identification()).info()
    return ConsoleModel(VOCABULARY, model.config, model.logit_scale, info, generate)
