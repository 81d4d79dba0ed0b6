"""The firmware of a model in external memory on the emulated processor."""

import functools
import tempfile
from pathlib import Path

from gateformer.gateware.console.imported.pieces import Pieces
from gateformer.gateware.host.identification import Identification
from gateformer.gateware.memory.bus import Response
from gateformer.model.contract.decoder.sampling import DecoderSettings
from gateformer.platforms.boards.board import board
from gateformer.platforms.firmware.build import build_firmware
from gateformer.platforms.firmware.elf_file import Program, read_elf
from gateformer.platforms.firmware.model import UART_BASES
from gateformer.platforms.firmware.zynq_emulator import ZynqEmulator
from gateformer.platforms.host.model import HostModel
from gateformer.platforms.host.register_access import RegisterAccess
from gateformer.platforms.simulation.simulated_registers import BUILD_ID
from tests.support.imported.small_accelerator import artifact, reference_tokens
from tests.support.imported.small_streamed import (
    MEMORY,
    header,
    image,
    program,
    simulated_registers,
)

from .bench import SPEEDUP

TOKENS = 3
COPY = b"; copy weights.bin to the card again, then reset the board\r\n"
BUILD = b"; build bitstream, firmware and weights.bin together, then reset the board\r\n"
RESET = b"; reset the board\r\n"


@functools.cache
def firmware(streams: int, memory_bytes: int | None = None) -> Program:
    """For a board with that much memory."""
    facts = Identification.of(program(streams), BUILD_ID, 125_000)
    with tempfile.TemporaryDirectory() as directory:
        elf, *_ = build_firmware(
            artifact().model,
            artifact().name,
            facts,
            board("zybo").processor,
            Path(directory),
            memory_bytes,
        )
        return read_elf(elf.read_bytes())


@functools.cache
def weights(streams: int = 1) -> bytes:
    """The image's file."""
    return header(streams).pack() + image(streams).tobytes()


class StreamedDevice:
    """A processor that U-Boot has started, with ``content`` where the image's file belongs.

    ``before`` may change the memory, and ``change`` the emulator, before it begins; ``registers``
    may be others than the simulation's of so many ``streams``. ``memory_bytes`` is what the
    firmware takes for the size of the board's memory.
    """

    def __init__(
        self,
        content: bytes | None = None,
        *,
        before=lambda memory: None,
        change=lambda emulator: None,
        registers: RegisterAccess | None = None,
        memory_bytes: int | None = None,
        streams: int = 1,
    ):
        memory = simulated_registers(streams).memory
        reset_memory(memory)
        memory.write(0, (weights(streams) if content is None else content)[: memory.size])
        before(memory)
        self.emulator = ZynqEmulator(
            firmware(streams, memory_bytes),
            registers or simulated_registers(streams),
            uart_base=UART_BASES[board("zybo").processor.uart],
            line_speedup=SPEEDUP,
        )
        change(self.emulator)
        self.welcome = self.emulator.run()

    def ask(self, line: bytes) -> bytes:
        self.emulator.uart.arrive(line + b"\r")
        return self.emulator.run()

    def generates(self) -> bool:
        """Whether its text is the reference's."""
        self.ask(b"/temperature 0")
        self.ask(b"/tokens %d" % TOKENS)
        answer = self.ask(b"the cat")
        return b"\x02" + text_of("the cat") + b"\x03" in answer


def refusal(device: StreamedDevice) -> bytes:
    """The line with which it refuses, the same for what it says first, for /info and a prompt."""
    line, end = device.welcome.removeprefix(b"\r\n! "), b"\x04> "
    assert line != device.welcome and line.endswith(end)
    for question in (b"/info", b"the cat", b"/bench"):
        assert device.ask(question) == question + device.welcome, question
    return line.removesuffix(end)


def text_of(prompt: str) -> bytes:
    """What the device shows after a prompt, greedily."""
    tokens = HostModel.of(artifact()).encode(prompt)
    tokens = reference_tokens(tokens, TOKENS, DecoderSettings())
    texts = Pieces.of(artifact().model).texts
    return b"".join(texts[token] for token in tokens)


def reset_memory(memory) -> None:
    for port in range(MEMORY.ports):
        memory.set_width(port, narrow=False)
    memory.clean_cache()
    memory.refuse(0, 0, Response.OKAY)
    memory.write(0, b"\x5a" * memory.size)
