"""Registers of an accelerator whose model lies in external memory: its image's state, and waits.

Imports what :mod:`.register_access` does.
"""

from __future__ import annotations

import dataclasses

from gateformer.model.support.counted import counted
from gateformer.model.support.errors import UserError

from .register_access import RegisterFile

FAULTS = {
    2: "SLVERR: it refused an access",
    3: "DECERR: there is no memory at an address",
}
"""Values of IMAGE_STATUS.fault that stop the core."""
LOAD_IT = "load it: gateformer accelerator --weights build/BOARD/weights.bin"


@dataclasses.dataclass(frozen=True)
class ImageInfo:
    """What the registers say of the image.

    Parameters
    ----------
    ports, data_bytes, burst_beats : int, as :class:`gateware.memory.bus.MemoryShape`
    image_bytes, memory_bytes : int, as :class:`gateware.streamed.ports.ImageFacts`
    verified : bool
        It was in the memory, and the model's, when it was read last.
    cycles, stalls : int
        Of the last run: those in which the core was busy, and in which it waited for the memory.
    saturations : int
        Of the last run: numbers that a limit changed, modulo 2**32.
    """

    ports: int
    data_bytes: int
    burst_beats: int
    image_bytes: int
    memory_bytes: int
    verified: bool
    cycles: int
    stalls: int
    saturations: int

    def __str__(self) -> str:
        state = "verified" if self.verified else "not loaded"
        waited = ""
        if self.cycles:
            waited = f", the last run {stalled(self.stalls, self.cycles)}"
            waited += f" and limited {self.saturations:,} numbers"
        return (
            f"image in external memory: {self.image_bytes:,} bytes, {self.memory_bytes:,} with "
            f"keys and values, {counted(self.ports, 'port')} of {self.data_bytes} bytes, bursts of "
            f"{self.burst_beats}; {state}{waited}"
        )

    @property
    def stripe_bytes(self) -> int:
        """What the image's address is a multiple of."""
        return self.ports * self.data_bytes * self.burst_beats


def stalled(stalls: int, cycles: int) -> str:
    """The share of the cycles in which the core waited for the memory."""
    return f"waited for the memory in {stalls / max(cycles, 1):.1%} of its cycles"


def read_image(registers: RegisterFile) -> ImageInfo:
    """What the registers say now; UserError if they are of no image."""
    shape = registers.read("MEMORY_SHAPE")
    sizes = {name: registers.word(name.upper()) for name in ("image_bytes", "memory_bytes")}
    if not all(shape.values()) or not 0 < sizes["image_bytes"] <= sizes["memory_bytes"]:
        raise UserError(
            f"{registers.name}: MEMORY_SHAPE, IMAGE_BYTES and MEMORY_BYTES read "
            f"{list(shape.values())}, {sizes['image_bytes']} and {sizes['memory_bytes']}, which "
            "are of no image; load the bitstream again"
        )
    return ImageInfo(
        **shape,
        **sizes,
        verified=is_verified(registers),
        cycles=long_count(registers, "CYCLES"),
        stalls=read_stalls(registers),
        saturations=registers.word("SATURATIONS"),
    )


def is_verified(registers: RegisterFile) -> bool:
    """Whether an image was verified where IMAGE_ADDRESS says."""
    return bool(registers.read("IMAGE_STATUS")["verified"])


def read_stalls(registers: RegisterFile) -> int:
    """Cycles since the last start in which the core waited for the memory."""
    return long_count(registers, "STALLS")


def long_count(registers: RegisterFile, name: str) -> int:
    """A count of 64 bits: reading its lower half keeps the upper one."""
    low = registers.word(f"{name}_LOW")
    return registers.word(f"{name}_HIGH") << 32 | low


def refuse_fault(registers: RegisterFile, doing: str) -> None:
    """UserError naming the error with which the memory has answered since the last abort."""
    fault = registers.read("IMAGE_STATUS")["fault"]
    if fault in FAULTS:
        raise UserError(
            f"{registers.name}: {doing}, the memory answered {FAULTS[fault]}; see that the image's "
            "addresses are of memory that the accelerator may access, and load it again"
        )
