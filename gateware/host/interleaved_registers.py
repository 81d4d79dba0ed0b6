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


COUNTER_BITS = 16
"""Of tokens of a run and of top-k; each stream has its own, so they are as narrow as may be."""

_WIDTHS = {"TOP_K": COUNTER_BITS, "TOKENS_GENERATED": COUNTER_BITS}
_TEXTS = {
    "MAGIC": f'"GTF4" (0x{INTERLEAVED_MAGIC:08X})',
    "CYCLES_LOW": "Clock cycles in which the stream was busy, since start, modulo 2**32",
    "CYCLES_HIGH": "Reads 0",
}


def _of_interleaved(entry: Register) -> Register:
    field, *others = entry.fields
    if entry.name in _WIDTHS:
        field = dataclasses.replace(field, width=_WIDTHS[entry.name])
    if entry.name == "MAGIC":
        field = dataclasses.replace(field, description=_TEXTS["MAGIC"])
    description = _TEXTS.get(entry.name, entry.description)
    effect = "" if entry.name == "CYCLES_LOW" else entry.side_effect
    return dataclasses.replace(
        entry, fields=(field, *others), description=description, side_effect=effect
    )


INTERLEAVED_REGISTERS = (*map(_of_interleaved, REGISTERS), _STREAMS)
"""All registers of such an accelerator, by rising offset: those of its first stream."""
FURTHER_INTERLEAVED_REGISTERS = tuple(
    entry
    for entry in INTERLEAVED_REGISTERS
    if entry.offset >= _FIRST_OF_EACH and entry is not _STREAMS
)
"""Those of each further stream, ``STREAM_BYTES`` apart."""
