"""A model in external memory: its program, its image's file, and the memory as it is modelled."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from gateformer.gateware.streamed.program import StreamedProgram
from gateformer.model.contract.artifact import Artifact
from gateformer.model.support.counted import counted
from gateformer.model.support.errors import UserError

from ..boards.external_memory import REFRESH_US, ExternalMemory
from ..host.image_file import IMAGE_FILE, ImageHeader, read_header, write_image
from ..support.progress import console as status
from ..support.progress import working
from .simulated_memory import MemoryTiming, words_as_bytes

LATENCY = (30, 120)
"""Cycles from a request to its first beat."""


def memory_timing(memory: ExternalMemory, clock_mhz: float) -> MemoryTiming:
    """The modelled memory at a clock of the fabric."""
    refresh = tuple(round(clock_mhz * time) for time in REFRESH_US)
    return MemoryTiming(latency=LATENCY, refresh=refresh, shared=memory.bytes_per_cycle(clock_mhz))


def streamed_program(
    artifact: Artifact, memory: ExternalMemory, streams: int = 1
) -> StreamedProgram:
    """The program of a model's streamed core, with a line that says so.

    Raises UserError as :class:`StreamedProgram`, or if the memory has no room for the model.
    """
    status.print(
        f"{artifact.name} has {artifact.model.config.n_weights:,} weights, more than a core "
        f"on chip holds: its core reads them from external memory ({memory.title}, "
        f"{counted(memory.shape.ports, 'port')} of {memory.shape.data_bytes} bytes)",
        soft_wrap=True,
    )
    with working("compiling the program and the memory's image"):
        program = StreamedProgram(artifact.model, memory.shape, streams)
    size, image = program.facts.memory_bytes, program.facts.image_bytes
    if memory.holds(image, size):
        return program
    if size > memory.room:
        raise UserError(
            f"{artifact.name} takes {size:,} bytes of external memory, and the board has room for "
            f"{memory.room:,}; import it with fewer bits or a smaller --context"
            + (", or take fewer --streams" if streams > 1 else "")
        )
    raise UserError(
        f"the image of {artifact.name} has {image:,} bytes, and U-Boot, which is at the end of the "
        f"board's memory, can load {memory.loadable:,}; import it with fewer bits"
    )


def image_header(artifact: Artifact, program: StreamedProgram) -> ImageHeader:
    """What the image's file says of it."""
    return ImageHeader(
        **dataclasses.asdict(program.memory),
        image_bytes=program.facts.image_bytes,
        memory_bytes=program.facts.memory_bytes,
        checksum=program.checksum,
        digest=artifact.model.digest,
        name=Path(artifact.name).name,
    )


def image_bytes(program: StreamedProgram) -> np.ndarray:
    """The image as it lies in the memory, uint8."""
    return words_as_bytes(program.memory, program.content())


def write_weights(artifact: Artifact, program: StreamedProgram, directory: Path) -> Path:
    """The image's file; its path. What is there of the same model and core stays."""
    path, header = directory / IMAGE_FILE, image_header(artifact, program)
    with working(f"writing {path}"):
        if not (path.is_file() and _is_whole(path, header)):
            write_image(path, header, image_bytes(program))
    return path


def _is_whole(path: Path, header: ImageHeader) -> bool:
    try:
        # as a file has it, with a long name cut
        return read_header(path) == ImageHeader.parse(header.pack(), str(path))
    except UserError:
        return False
