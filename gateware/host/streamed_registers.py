"""Registers of an accelerator whose model lies in external memory."""

from __future__ import annotations

import dataclasses

from ..plan.hw_config import MOST_STREAMS
from .base_registers import error_flag
from .imported_registers import IMPORTED_REGISTERS
from .register import Access, Field, Register

STREAMED_MAGIC = int.from_bytes(b"GTF3", "little")
"""What MAGIC reads of an accelerator with an image in external memory."""

STREAM_BYTES = 0x200
"""Addresses of a stream's registers."""


def _bytes(name: str, offset: int, description: str) -> Register:
    return Register(name, offset, Access.RO, (Field("value", 0, 32, "bytes"),), description)


def _half(name: str, offset: int, half: str, description: str, side_effect: str = "") -> Register:
    return Register(
        name, offset, Access.RO, (Field("value", 0, 32, half),), description, side_effect
    )


_ONLY_STREAMED = (
    Register(
        "MEMORY_SHAPE",
        0x0D0,
        Access.RO,
        (
            Field("ports", 0, 8, "ports of the memory"),
            Field("data_bytes", 8, 8, "bytes of a port in a cycle"),
            Field("burst_beats", 16, 8, "beats of a burst"),
        ),
        "How words of the image lie in the memory: gateformer.gateware.memory.bus.MemoryShape",
    ),
    _bytes("IMAGE_BYTES", 0x0D4, "Size of the image"),
    _bytes("MEMORY_BYTES", 0x0D8, "Memory from the image's first byte on that the core uses: the "
           "image, and keys and values behind it"),
    Register(
        "IMAGE_ADDRESS",
        0x0DC,
        Access.RW,
        (Field("value", 0, 32, "a multiple of ports · data_bytes · burst_beats"),),
        "Where the image lies in the memory, as the memory's ports see it",
    ),
    Register(
        "IMAGE_STATUS",
        0x0E0,
        Access.RO,
        (
            Field("verifying", 0, 1, "the image is being read against its checksum"),
            Field("verified", 1, 1, "what is at IMAGE_ADDRESS was the model's when it was read"),
            Field("mismatched", 2, 1, "it was not"),
            Field(
                "fault", 4, 2,
                "worst answer of the memory since abort; 0: OKAY, 2: SLVERR, 3: DECERR. The core "
                "stops at the last two, until abort",
            ),
        ),
        "State of the image",
    ),
    _half("STALLS_LOW", 0x0E4, "bits 31 to 0",
          "Clock cycles in which the core waited for the memory, since start",
          "reading keeps the upper half for STALLS_HIGH"),
    _half("STALLS_HIGH", 0x0E8, "bits 63 to 32",
          "Upper half of the stalls, of the moment when STALLS_LOW was read"),
    Register(
        "SATURATIONS",
        0x0EC,
        Access.RO,
        (Field("value", 0, 32, "numbers, modulo 2**32"),),
        "Numbers that a limit changed since start: many of them, and the model was calibrated on "
        "other text. Those of the residual stream and of rotary positions are not counted",
    ),
    Register(
        "STREAMS",
        0x0F0,
        Access.RO,
        (Field("value", 0, 32, f"1 to {MOST_STREAMS}"),),
        "Texts that are generated side by side. The registers of text s, counted from 0, are "
        f"0x{STREAM_BYTES:X} · s bytes further: these, but for those from MEMORY_SHAPE to "
        "STALLS_HIGH, this one, and bit 3 of CONTROL. Only the first one's IMAGE_ADDRESS counts, "
        "from when all are idle, and an abort forgets a fault when the others are idle",
    ),
)  # fmt: skip

_FURTHER = ("SATURATIONS",)
"""Of those, what every stream has."""

_VERIFY = Field("verify", 3, 1, "read the image against its checksum; wins over start")
_UNVERIFIED = error_flag(
    11, "image_not_verified", "start without an image that was verified, ignored"
)
_LOCKED = "a setting was written while busy or verifying, and ignored"
_VERIFY_WHILE_BUSY = error_flag(12, "verify_while_busy", "verify while busy or verifying, ignored")


def _of_streamed(entry: Register, verifies: bool = True) -> Register:
    if entry.name == "MAGIC":
        text = f'"GTF3" (0x{STREAMED_MAGIC:08X})'
        value = dataclasses.replace(entry.fields[0], description=text)
        return dataclasses.replace(entry, fields=(value,), description=text)
    if entry.name == "CONTROL" and verifies:
        return dataclasses.replace(entry, fields=(*entry.fields, _VERIFY))
    if entry.name == "ERROR":
        fields = [
            dataclasses.replace(field, description=_LOCKED)
            if field.name == "settings_locked" and verifies
            else field
            for field in entry.fields
        ]
        further = (_UNVERIFIED, _VERIFY_WHILE_BUSY) if verifies else (_UNVERIFIED,)
        return dataclasses.replace(entry, fields=(*fields, *further))
    return entry


def _sorted(*entries: Register) -> tuple[Register, ...]:
    return tuple(sorted(entries, key=lambda entry: entry.offset))


STREAMED_REGISTERS = _sorted(*_ONLY_STREAMED, *map(_of_streamed, IMPORTED_REGISTERS))
"""All registers of an accelerator with an image in external memory, by rising offset: those of its
first stream."""
FURTHER_STREAM_REGISTERS = _sorted(
    *(entry for entry in _ONLY_STREAMED if entry.name in _FURTHER),
    *(_of_streamed(entry, verifies=False) for entry in IMPORTED_REGISTERS),
)
"""Those of each further stream, ``STREAM_BYTES`` apart."""
