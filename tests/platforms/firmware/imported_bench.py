"""The firmware of imported models on the emulated processor, and the console's Python model."""

import dataclasses
import functools
import re
import tempfile
from pathlib import Path

from gateformer.gateware.console.imported.pieces import Pieces
from gateformer.gateware.console.imported.texts import ImportedTexts
from gateformer.gateware.host.any_core import compile_model
from gateformer.gateware.host.identification import Identification
from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.model.contract.decoder.model import DecoderModel
from gateformer.model.contract.decoder.reference import DecoderReference
from gateformer.platforms.boards.board import board
from gateformer.platforms.firmware.build import build_firmware
from gateformer.platforms.firmware.elf_file import read_elf
from gateformer.platforms.firmware.model import UART_BASES
from gateformer.platforms.firmware.zynq_emulator import ZynqEmulator
from gateformer.platforms.simulation.simulated_registers import BUILD_ID, SimulatedRegisters
from tests.support.console.imported import (
    ImportedConsole,
    codec_of_characters,
    codec_of_pieces,
    imported_model,
)
from tests.support.imported.small_accelerator import LOGIT_SCALE

from .bench import SPEEDUP, WALL_CLOCK, Device

NAME = "imported"
CYCLES = re.compile(rb"\d+( cycles, 0 waiting, end: stop\r\n)")


def drawing(model: DecoderModel) -> DecoderModel:
    """The model with logits that draw many tokens at a temperature of about 1."""
    return dataclasses.replace(model, logit_scale=LOGIT_SCALE)


MODELS = {
    "pieces": functools.cache(lambda: drawing(imported_model(codec_of_pieces()))),
    "characters": functools.cache(
        lambda: drawing(imported_model(codec_of_characters(), prefix=()))
    ),
}
"""Models of which the firmware has no encoder."""


@functools.cache
def programs(model: DecoderModel):
    return compile_model(model, HwConfig(rows=1, cols=1, lanes=8))


@functools.cache
def registers(model: DecoderModel) -> SimulatedRegisters:
    return SimulatedRegisters(programs(model))


@functools.cache
def firmware(model: DecoderModel):
    facts = Identification.of(programs(model), BUILD_ID, 125_000)
    with tempfile.TemporaryDirectory() as directory:
        elf, *_ = build_firmware(model, NAME, facts, board("zybo").processor, Path(directory))
        return read_elf(elf.read_bytes())


class ImportedDevice(Device):
    """A booted processor. Cycles of a text that a stop token ended are shown as 0: the core has
    gone on until the processor saw it."""

    def __init__(self, model: DecoderModel, **options):
        self.emulator = ZynqEmulator(
            firmware(model),
            options.pop("registers", None) or registers(model),
            uart_base=UART_BASES[board("zybo").processor.uart],
            line_speedup=SPEEDUP,
        )
        self.wall_clocks = []
        self.welcome = self.emulator.run()

    def ask(self, items) -> bytes:
        return CYCLES.sub(rb"0\1", super().ask(items))


class FirmwareConsole(ImportedConsole):
    """As the document says, with a core of the reference's tokens and the program's cycles."""

    def __init__(self, model: DecoderModel):
        self.model = model
        opening = len(Pieces.of(model).opening)
        facts = Identification.of(programs(model), BUILD_ID, 125_000)
        info = ImportedTexts(NAME, facts, None, opening).info()
        super().__init__(model, info, self.run, self.cycles_of)

    def run(self, prompt, count, settings):
        self.settings_of_run = settings
        found = DecoderReference(self.model).generate(prompt, count or 2**16 - 1, settings)
        tokens = list(found)
        return tokens, self.cycles_of(len(prompt), len(tokens))

    def cycles_of(self, prompt: int, tokens: int) -> int:
        settings, program = self.settings_of_run, programs(self.model)
        options = {
            "sampled": not settings.greedy,
            "top_k": settings.top_k > 0,
            "top_p": settings.top_p < 2**16,
        }
        return sum(
            program.cycles(p, predict=p >= prompt - 1, **options)
            for p in range(prompt + tokens - 1)
        )

    def handle(self, item):
        return CYCLES.sub(rb"0\1", super().handle(item))


__all__ = ["WALL_CLOCK", "FirmwareConsole", "ImportedDevice"]
