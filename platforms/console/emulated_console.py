"""The firmware on an emulated processor with the simulated accelerator, as a link to a console."""

from __future__ import annotations

import dataclasses
import tempfile
import time
from pathlib import Path

from gateformer.gateware.host.any_core import AnyProgram, compile_model
from gateformer.gateware.host.identification import Identification
from gateformer.model.contract.artifact import Artifact
from gateformer.model.contract.decoder.model import DecoderModel

from ..boards.board import board
from ..boards.external_memory import ExternalMemory
from ..firmware.build import build_firmware
from ..firmware.elf_file import read_elf
from ..firmware.model import UART_BASES
from ..firmware.zynq_emulator import ZynqEmulator, require_unicorn
from ..host.image_file import HEADER_BYTES
from ..host.register_access import RegisterAccess
from ..simulation.generation import is_large
from ..simulation.simulated_registers import BUILD_ID, SimulatedRegisters
from ..simulation.streamed_model import (
    image_bytes,
    image_header,
    memory_timing,
    streamed_program,
)
from ..sizes.sizing import choose_sizes
from ..support.progress import working
from .link import FIRMWARE, Link
from .simulation import simulated_artifact

BOARD = "zybo"
CLOCK_KHZ = 125_000
LINE_SPEEDUP = 20.0
"""So that a person does not wait for the emulated line."""

SLICE = 0.1
"""Seconds of emulation after which what was sent is shown, and Ctrl-C heeded."""


VERIFIED_AFTER, ANSWERED_AFTER = 3600.0, 86_400.0
"""Seconds in which the firmware of a model in external memory has read 1 GB against its checksum,
and has come through a long prompt, or a measurement: a token of a large model takes a minute."""


class EmulatedLink(Link):
    """The serial port of an emulated processor; it runs only while somebody reads.

    Parameters
    ----------
    emulator : ZynqEmulator
    patience, answer_patience, bench_patience : float, optional
        As of :class:`Link`, if they are others.
    """

    name = FIRMWARE
    reload_remedy = ("start it with: gateformer console firmware --reload",)
    hint = "the firmware hangs; please report it"
    # an emulation loses nothing, but a large model may need minutes for a context
    patience = 60.0
    answer_patience = 600.0
    bench_patience = 3600.0
    real_time = False

    def __init__(self, emulator: ZynqEmulator, **patience: float):
        self.emulator = emulator
        vars(self).update(patience)

    def write(self, content: bytes) -> None:
        self.emulator.uart.arrive(content)

    def read(self, timeout: float) -> bytes:
        end = time.monotonic() + timeout
        while not (content := self.emulator.run(pause_after=min(timeout, SLICE))):
            if self.emulator.idle:  # nothing will come
                self.emulator.wait(min(timeout, SLICE))
                break
            if time.monotonic() >= end:
                break
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
    artifact = simulated_artifact(model, reload, external_memory=True)
    if isinstance(artifact.model, DecoderModel) and is_large(artifact):
        return emulate_streamed(artifact, board(BOARD).memory)
    sizes = choose_sizes(artifact.model, board("sim"))
    program = compile_model(artifact.model, dataclasses.replace(sizes, reload=reload))
    registers = SimulatedRegisters(program, clock_khz=CLOCK_KHZ)
    return EmulatedLink(firmware_emulator(artifact, program, registers, line_speedup=LINE_SPEEDUP))


def emulate_streamed(artifact: Artifact, memory: ExternalMemory) -> EmulatedLink:
    """The emulated console of a model in external memory, as U-Boot starts it: with the image's
    file in the memory.

    Raises UserError as :func:`platforms.simulation.streamed_model.streamed_program`, or if there is
    no compiler, or no Unicorn.
    """
    program = streamed_program(artifact, memory)
    timing = memory_timing(memory, CLOCK_KHZ / 1000)
    with working("compiling the core"):
        registers = SimulatedRegisters(program, clock_khz=CLOCK_KHZ, timing=timing)
    registers.memory.write(0, image_header(artifact, program).pack())
    registers.memory.write(HEADER_BYTES, image_bytes(program))
    emulator = firmware_emulator(artifact, program, registers, line_speedup=LINE_SPEEDUP)
    return EmulatedLink(
        emulator,
        patience=VERIFIED_AFTER,
        answer_patience=ANSWERED_AFTER,
        bench_patience=ANSWERED_AFTER,
    )
