"""The image of a model into the memory from which its accelerator reads it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from gateformer.gateware.host.registers import register
from gateformer.gateware.host.streamed_registers import STREAMED_REGISTERS
from gateformer.model.support.errors import UserError

from .external_memory import ExternalMemory, open_memory
from .image_file import ImageHeader, pieces, read_header
from .image_registers import refuse_fault
from .info import SHOWN_DIGITS, AcceleratorInfo
from .memory_ports import MemoryPorts
from .register_access import RegisterFile

ADDRESSES = 2 ** register("IMAGE_ADDRESS", STREAMED_REGISTERS).field("value").width
"""Bytes that the accelerator can address."""


def check_header(registers: RegisterFile, info: AcceleratorInfo, path) -> ImageHeader:
    """The header of an image file that is the accelerator's.

    Raises
    ------
    UserError
        As :func:`platforms.host.image_file.read_header`; if the model is in the accelerator; if the
        file is another model's, for a memory of another shape, or of another size.
    """
    where, image = registers.name, info.image
    if image is None:
        raise UserError(
            f"{where}: the accelerator has its model in its own memories; leave the weights out"
        )
    header = read_header(path)
    if header.digest != info.digest:
        raise UserError(
            f"{path} is the image of {header.name}, digest {header.digest[:SHOWN_DIGITS]}…, and "
            f"{where} is of digest {info.digest[:SHOWN_DIGITS]}…; take the {os.path.basename(path)}"
            " that was built with this bitstream"
        )
    for what, names in (
        ("ports, bytes of a port, beats of a burst", ("ports", "data_bytes", "burst_beats")),
        ("bytes of the image, and with keys and values", ("image_bytes", "memory_bytes")),
    ):
        found, expected = ([getattr(each, n) for n in names] for each in (header, image))
        if found != expected:
            raise UserError(
                f"{path} is for another accelerator of the model: {what} are "
                f"{_listed(found)}, and {where} reads {_listed(expected)}; build both again"
            )
    return header


def check_memory(info: AcceleratorInfo, memory: ExternalMemory) -> None:
    """UserError if the accelerator's image can't lie in the memory."""
    image, first = info.image, f"{memory.name} begins at 0x{memory.address:X}"
    if memory.size < image.memory_bytes:
        raise UserError(
            f"{memory.name} has {memory.size:,} bytes, and the image needs "
            f"{image.memory_bytes:,} with keys and values; reserve more"
        )
    if memory.address % image.stripe_bytes:
        raise UserError(
            f"{first}, which is not a multiple of {image.stripe_bytes}; reserve memory that is"
        )
    if memory.address + image.memory_bytes > ADDRESSES:
        raise UserError(
            f"{first}, and the image would end beyond 4 GiB, which the accelerator can't address; "
            "reserve memory below"
        )


def load_file(
    registers: RegisterFile,
    info: AcceleratorInfo,
    path: str | os.PathLike,
    memory,
    ports: MemoryPorts | None,
    timeout: float,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Check, copy and verify; the core must be idle, which is checked.

    ``memory`` as :func:`.external_memory.open_memory`; ``ports``: None if they can't be accessed.
    Raises UserError as the functions here and :func:`open_memory`.
    """
    header = check_header(registers, info, path)
    opened = open_memory(memory)
    try:
        check_memory(info, opened)
        streams = map(registers.of_stream, range(info.streams))
        if any(stream.read("STATUS")["busy"] for stream in streams):
            raise UserError(
                f"{registers.name}: the image can't be loaded while the core is running; read the "
                "run to its end, or close it, first"
            )
        # what is half-written counts as none, should this be broken off
        registers.write("IMAGE_ADDRESS", value=0)
        offset = 0
        for piece in pieces(path):
            opened.write(offset, piece)
            offset += len(piece)
            if progress is not None:
                progress(offset, header.image_bytes)
        if offset != header.image_bytes:
            raise UserError(f"{path} changed while it was read; load it again")
        complaints = [] if ports is None else ports.widen(header.ports)
        verify(registers, info, opened, complaints, ports is not None, timeout)
    finally:
        if opened is not memory:
            opened.close()


def verify(
    registers: RegisterFile,
    info: AcceleratorInfo,
    memory: ExternalMemory,
    complaints: list[str],
    known: bool,
    timeout: float,
) -> None:
    """Let the core read the image there against its checksum.

    ``complaints`` are those of the memory's ports, if they are ``known``. Raises UserError if the
    image is damaged, the memory answers with an error, or the core does not end in time.
    """
    registers.write("CONTROL", abort=1, clear_errors=1)
    registers.write("IMAGE_ADDRESS", value=memory.address)
    registers.write("CONTROL", verify=1)
    if flags := registers.errors():
        raise UserError(f"{registers.name}: the core reports {flags}; does another program use it?")
    # at a byte per cycle it would be a broken memory
    seconds = timeout + info.image.image_bytes / (info.clock_khz * 1e3)
    end = time.monotonic() + seconds
    while (status := registers.read("IMAGE_STATUS"))["verifying"]:
        if time.monotonic() >= end:
            registers.write("CONTROL", abort=1)
            raise UserError(
                f"{registers.name}: the core still reads the image after {seconds:.3g} s; load the "
                "bitstream again, or give a longer timeout"
            )
    refuse_fault(registers, "when the image was read")
    if not status["verified"] and not status["mismatched"]:
        raise UserError(
            f"{registers.name}: reading the image was broken off; does another program use it?"
        )
    if not status["verified"]:
        cause = "".join(f"; {complaint}" for complaint in complaints)
        if not cause and not known:
            cause = (
                "; or a port of the memory is at 32 bits, which needs root to see and to set: use "
                "sudo"
            )
        raise UserError(
            f"{registers.name}: the image in {memory.name} is damaged: it does not have the "
            f"checksum that is built into the accelerator{cause}; load it again"
        )


def _listed(values: list[int]) -> str:
    return ", ".join(f"{value:,}" for value in values)
