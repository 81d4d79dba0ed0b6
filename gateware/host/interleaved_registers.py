"""Registers of an accelerator whose core generates several texts of a trained model at once."""

from __future__ import annotations

import dataclasses

from ..plan.hw_config import MOST_STREAMS
from .base_registers import REGISTERS
from .register import Access, Field, Register
from .streamed_registers import STREAM_BYTES

INTERLEAVED_MAGIC = int.from_bytes(b"GTF4", "little")
"""What MAGIC reads of it."""

_FIRST_OF_EACH = 0x080
"""Where the registers begin that every stream has: those before say what the accelerator is."""

_STREAMS = Register(
    "STREAMS",
    0x0F0,
    Access.RO,
    (Field("value", 0, 32, f"2 to {MOST_STREAMS}"),),
    "Texts that are generated side by side. The registers of text s, counted from 0, are "
    f"0x{STREAM_BYTES:X} · s bytes further: these from CONTROL on, but for this one. An abort of "
    "one text leaves the others as they are",
)


def _with_magic(entry: Register) -> Register:
    if entry.name != "MAGIC":
        return entry
    text = f'"GTF4" (0x{INTERLEAVED_MAGIC:08X})'
    value = dataclasses.replace(entry.fields[0], description=text)
    return dataclasses.replace(entry, fields=(value,), description=text)


INTERLEAVED_REGISTERS = (*map(_with_magic, REGISTERS), _STREAMS)
"""All registers of such an accelerator, by rising offset: those of its first stream."""
FURTHER_INTERLEAVED_REGISTERS = tuple(
    entry for entry in REGISTERS if entry.offset >= _FIRST_OF_EACH
)
"""Those of each further stream, ``STREAM_BYTES`` apart."""
