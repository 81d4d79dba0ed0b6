"""The firmware on an emulated processor with the simulated accelerator, as a link to a console."""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path

from gateformer.gateware.host.any_core import AnyProgram, compile_model
from gateformer.gateware.host.identification import Identification
from gateformer.model.contract.artifact import Artifact

from ..boards.board import board
from ..firmware.build import build_firmware
from ..firmware.elf_file import read_elf
from ..firmware.model import UART_BASES
from ..firmware.zynq_emulator import ZynqEmulator, require_unicorn
from ..host.register_access import RegisterAccess
from ..simulation.simulated_registers import BUILD_ID, SimulatedRegisters
from ..sizes.sizing import choose_sizes
from .link import FIRMWARE, Link
from .simulation import simulated_artifact

BOARD = "zybo"
CLOCK_KHZ = 125_000
LINE_SPEEDUP = 20.0
"""So that a person does not wait for the emulated line."""

SLICE = 0.1
"""Seconds of emulation after which what was sent is shown, and Ctrl-C heeded."""


class EmulatedLink(Link):
    """The serial port of an emulated processor; it runs only while somebody reads.

    Parameters
    ----------
    emulator : ZynqEmulator
    """

    name = FIRMWARE
    reload_remedy = ("start it with: gateformer console firmware --reload",)
    hint = "the firmware hangs; please report it"
    # an emulation loses nothing, but a large model may need minutes for a context
    patience = 60.0
    answer_patience = 600.0
    bench_patience = 3600.0
    real_time = False

    def __init__(self, emulator: ZynqEmulator):
        self.emulator = emulator

    def write(self, content: bytes) -> None:
        self.emulator.uart.arrive(content)

    def read(self, timeout: float) -> bytes:
        content = self.emulator.run(pause_after=min(timeout, SLICE))
        if not content and self.emulator.idle:
            self.emulator.wait(min(timeout, SLICE))
        return content

    def close(self) -> None:
        """Nothing to give back."""


def firmware_emulator(
    artifact: Artifact, program: AnyProgram, registers: RegisterAccess, **options
) -> ZynqEmulator:
    """An emulated Zybo with the firmware of a model; ``options`` as of :class:`ZynqEmulator`.

    Raises UserError if Unicorn or a compiler is missing.
    """
    processor = board(BOARD).processor
    identification = Identification.of(program, BUILD_ID, CLOCK_KHZ)
    with tempfile.TemporaryDirectory() as directory:
        elf, *_ = build_firmware(
            artifact.model, artifact.name, identification, processor, Path(directory)
        )
        loaded = read_elf(elf.read_bytes())
    return ZynqEmulator(loaded, registers, uart_base=UART_BASES[processor.uart], **options)


def emulate(model: str | None, *, reload: bool = False) -> EmulatedLink:
    """The emulated console of a model, with the sizes that ``build.py sim`` takes.

    ``model`` is a name as :func:`open_model` takes it; None: the default. ``reload``: it can be
    replaced. Raises UserError if there is no such model, if it is imported and to be replaced, no
    compiler, or no Unicorn.
    """
    require_unicorn()  # before minutes of compiling
    artifact = simulated_artifact(model, reload)
    sizes = choose_sizes(artifact.model, board("sim"))
    program = compile_model(artifact.model, dataclasses.replace(sizes, reload=reload))
    registers = SimulatedRegisters(program, clock_khz=CLOCK_KHZ)
    return EmulatedLink(firmware_emulator(artifact, program, registers, line_speedup=LINE_SPEEDUP))
