"""An accelerator of two streams, simulated with its model in external memory, for the driver."""

import functools
import tempfile
from pathlib import Path

from gateformer.gateware.host.registers import register
from gateformer.gateware.host.streamed_registers import STREAM_BYTES, STREAMED_REGISTERS
from gateformer.gateware.memory.bus import Response
from gateformer.model.contract.decoder.sampling import DecoderSettings
from gateformer.platforms.host.driver import Accelerator
from gateformer.platforms.host.memory_ports import MemoryPorts
from tests.support.imported.small_accelerator import BEGIN, PREFIX, artifact, reference_tokens
from tests.support.imported.small_streamed import simulated_registers, write_weights

PROMPTS = [[*PREFIX, BEGIN, 40], [*PREFIX, BEGIN, 99, 7, 250]]
TEXTS = ["the cat", "a rat and a hat", "123", "dogs", "on the mat"]


class Ports(MemoryPorts):
    """AFI registers of the simulated memory, which has them at 64 bits."""

    def __init__(self):
        """Without a device."""

    def read(self, address):
        return 0

    def write(self, address, value):
        pass


@functools.cache
def weights() -> Path:
    """The image's file."""
    directory = tempfile.TemporaryDirectory()
    _KEPT.append(directory)
    path = Path(directory.name) / "weights.bin"
    write_weights(path, 2)
    return path


_KEPT: list[tempfile.TemporaryDirectory] = []


def opened(timeout: float = 60) -> Accelerator:
    """The accelerator, whose memory is well and has the image."""
    memory = simulated_registers(2).memory
    memory.refuse(0, 0, Response.OKAY)
    found = Accelerator(simulated_registers(2), artifact(), timeout=timeout)
    if not found.info().image.verified:
        found.load_image(weights(), memory, ports=Ports())
    return found


def tokens_of(number: int, count: int) -> list[int]:
    """What follows a prompt of PROMPTS, greedily, by the reference."""
    return reference_tokens(PROMPTS[number][len(PREFIX) :], count, DecoderSettings())


def write(stream: int, name: str, **fields: int) -> None:
    entry = register(name, STREAMED_REGISTERS)
    simulated_registers(2).write(stream * STREAM_BYTES + entry.offset, entry.pack(**fields))


def status(stream: int) -> dict[str, int]:
    entry = register("STATUS", STREAMED_REGISTERS)
    return entry.unpack(simulated_registers(2).read(stream * STREAM_BYTES + entry.offset))


def generates(accelerator: Accelerator) -> bool:
    """Whether all streams generate the reference's tokens."""
    return all(
        list(accelerator.generate(PROMPTS[0], 3, stream=stream)) == tokens_of(0, 3)
        for stream in range(2)
    )
