"""Registers as a document and as a C header."""

from __future__ import annotations

from collections.abc import Iterable

from .base_registers import REGISTERS
from .register import ADDRESS_WIDTH, Register

PREFIX = "GATEFORMER"

_DOCUMENT_HEAD = f"""\
# Registers

Written by `gateformer registers --document`; do not edit.

AXI4-Lite, {2**ADDRESS_WIDTH} bytes, registers of 32 bits, little-endian. Bits in no field read 0 \
and ignore what is written. Writes obey byte strobes. An address without a register, and an access \
that a register does not have, is answered with SLVERR and does nothing else.

A run: write the settings, write the prompt's tokens to PROMPT, write `start` to CONTROL, read \
tokens from OUTPUT until one has `last`.
"""

_BOTH_HEAD = """\
SPEC_VERSION says whose registers these are: 1, a model that was trained here; 2, an imported one, \
whose registers differ as the end of this document says.
"""

_IMPORTED_HEAD = """\
# Imported models

Where SPEC_VERSION reads 2, {absent} do not exist, nor what is only there with MAGIC "GTF2", and \
these registers are there in addition or are different.
"""

_HEADER_HEAD = f"""\
/* Registers of the accelerator: byte offsets, and shift and mask of each field.
 * Written by `gateformer registers --header`; do not edit. */
#ifndef {PREFIX}_REGISTERS_H
#define {PREFIX}_REGISTERS_H
"""


_STREAMED_HEAD = """\
# Models in external memory

Where MAGIC reads "GTF3", these registers are there in addition to those of imported models, or \
are different.

Before the first run: put the image into the memory, write IMAGE_ADDRESS, write `verify` to \
CONTROL, and wait until IMAGE_STATUS has `verified`.
"""


_INTERLEAVED_HEAD = """\
# Several texts of a trained model

Where MAGIC reads "GTF4", these registers are there in addition to those of a model that is fixed, \
or are different.
"""


def document(
    registers: Iterable[Register],
    imported: Iterable[Register] = (),
    streamed: Iterable[Register] = (),
    interleaved: Iterable[Register] = (),
) -> str:
    """Markdown with a table of all registers and one section for each that is no mere constant.

    ``imported``: those of imported models' accelerators, of which the differences are shown;
    ``streamed``: those with a model in external memory, likewise; ``interleaved``: those of several
    texts of a trained model.
    """
    registers, imported, streamed = list(registers), list(imported), list(streamed)
    heads = [_DOCUMENT_HEAD, _BOTH_HEAD] if imported else [_DOCUMENT_HEAD]
    lines = [*heads, *_tables(registers)]
    if imported:
        absent = {entry.name for entry in REGISTERS} - {entry.name for entry in imported}
        different = [entry for entry in imported if entry not in registers]
        lines += ["", _IMPORTED_HEAD.format(absent=" and ".join(sorted(absent, reverse=True)))]
        lines += _tables(different)
    if streamed:
        different = [entry for entry in streamed if entry not in imported]
        lines += ["", _STREAMED_HEAD, *_tables(different)]
    different = [entry for entry in interleaved if entry not in (*registers, *REGISTERS)]
    if different:
        lines += ["", _INTERLEAVED_HEAD, *_tables(different)]
    return "\n".join(lines) + "\n"


def _tables(registers: list[Register]) -> list[str]:
    lines = ["| offset | register | access | reset | |", "|---|---|---|---|---|"]
    for entry in registers:
        lines.append(
            f"| 0x{entry.offset:03X} | {entry.name} | {entry.access.value} | "
            f"{_reset(entry)} | {entry.description} |"
        )
    for entry in registers:
        if len(entry.fields) > 1 or entry.side_effect or _is_settable(entry):
            lines += ["", *_section(entry)]
    return lines


def header(registers: Iterable[Register]) -> str:
    """C header with offset, and for each field shift and mask, as macros."""
    lines = [_HEADER_HEAD]
    for entry in registers:
        name = f"{PREFIX}_{entry.name}"
        lines.append(f"/* {entry.description} ({entry.access.value}) */")
        lines.append(f"#define {name} 0x{entry.offset:03X}u")
        for field in entry.fields:
            field_name = f"{name}_{field.name.upper()}"
            lines.append(f"#define {field_name}_SHIFT {field.low}u")
            lines.append(f"#define {field_name}_MASK 0x{field.mask:08X}u")
        lines.append("")
    lines.append("#endif")
    return "\n".join(lines) + "\n"


def _is_settable(entry: Register) -> bool:
    return entry.access.writable


def _reset(entry: Register) -> str:
    return f"0x{entry.reset:X}" if entry.access.stored else ""


def _section(entry: Register) -> list[str]:
    lines = [f"## {entry.name} (0x{entry.offset:03X}, {entry.access.value})", ""]
    lines.append(f"{entry.description}.")
    if entry.side_effect:
        lines += ["", f"Side effect: {entry.side_effect}."]
    if entry.whole:
        lines += ["", "All four bytes must be written at once; some of them: SLVERR."]
    lines += ["", "| bits | field | reset | |", "|---|---|---|---|"]
    for field in entry.fields:
        high = field.low + field.width - 1
        bits = str(high) if field.width == 1 else f"{high}:{field.low}"
        reset = str(field.reset) if entry.access.stored else ""
        lines.append(f"| {bits} | {field.name} | {reset} | {field.description} |")
    return lines
