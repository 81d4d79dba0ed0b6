"""The small imported model with its weights in external memory, and its accelerator simulated."""

import functools

from gateformer.gateware.memory.bus import MemoryShape
from gateformer.gateware.streamed.program import StreamedProgram
from gateformer.platforms.host.image_file import ImageHeader, write_image
from gateformer.platforms.simulation.simulated_memory import MemoryTiming, words_as_bytes
from gateformer.platforms.simulation.simulated_registers import SimulatedRegisters
from tests.support.shared_simulations import shared

from .small_accelerator import artifact

MEMORY = MemoryShape(ports=2, data_bytes=8, burst_beats=4)
"""Two HP ports of a Zynq-7000."""
TIMING = MemoryTiming(latency=(20, 50), refresh=(400, 20), stall=0.05)


def of_streams(function, cache=functools.cache):
    """A cached function of the number of streams, 1 by default."""
    cached = cache(function)

    @functools.wraps(function)
    def found(streams: int = 1):
        return cached(streams)

    return found


@of_streams
def program(streams: int) -> StreamedProgram:
    return StreamedProgram(artifact().model, MEMORY, streams)


@functools.partial(of_streams, cache=shared)
def simulated_registers(streams: int) -> SimulatedRegisters:
    return SimulatedRegisters(program(streams), timing=TIMING)


@of_streams
def image(streams: int):
    """The image, uint8, read-only."""
    found = words_as_bytes(MEMORY, program(streams).content())
    found.setflags(write=False)
    return found


def header(streams: int = 1, **changes) -> ImageHeader:
    """That of the image's file."""
    facts = program(streams).facts
    given = {
        "ports": MEMORY.ports,
        "data_bytes": MEMORY.data_bytes,
        "burst_beats": MEMORY.burst_beats,
        "image_bytes": facts.image_bytes,
        "memory_bytes": facts.memory_bytes,
        "checksum": program(streams).checksum,
        "digest": artifact().model.digest,
        "name": artifact().name,
    }
    return ImageHeader(**given | changes)


def write_weights(path, streams: int = 1) -> bytes:
    """Write the image's file; its bytes."""
    write_image(path, header(streams), image(streams))
    return path.read_bytes()
