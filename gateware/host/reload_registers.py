"""Registers of an accelerator whose model can be loaded (``build.py --reload``)."""

from __future__ import annotations

import dataclasses

from .base_registers import REGISTERS, error_flag
from .register import Access, Field, Register

RELOAD_MAGIC = int.from_bytes(b"GTF2", "little")
"""What MAGIC reads if the accelerator has :data:`RELOAD_REGISTERS`."""

_RELOAD = (
    Register(
        "RELOAD_LIMITS",
        0x034,
        Access.RO,
        (
            Field("requantize_shift", 0, 6, "the largest shift of a matrix"),
            Field("gain_shift", 6, 6, "the largest shift of a norm"),
            Field("score_shift", 12, 6, "the smallest score shift"),
            Field("score_shifts", 18, 6, "score shifts from that on"),
            Field("packing", 24, 4, "0: 2bit, 1: 3in5"),
        ),
        "What a model must fit, beside the shape (gateformer.gateware.plan.reload_limits)",
    ),
    Register(
        "LOAD_CONTROL",
        0x0D0,
        Access.WO,
        (Field("begin", 0, 1, "an image follows; what was being loaded is forgotten"),),
        "Begins to load a model (docs/reload.md)",
        "refused, with a flag in ERROR and nothing else, while busy",
    ),
    Register(
        "LOAD_DATA",
        0x0D4,
        Access.WO,
        (Field("word", 0, 32, "the image's next word"),),
        "The image. Words that do not belong to one are dropped",
        "appends a word",
        whole=True,
    ),
    Register(
        "LOAD_STATUS",
        0x0D8,
        Access.RO,
        (
            Field("loaded", 0, 1, "the memories hold one complete model: start is obeyed"),
            Field("loading", 1, 1, "an image has begun and is not complete, or is being checked"),
            Field(
                "refusal",
                2,
                3,
                "why the last image was refused; 0: it was not, 1: aborted before its end, 2: for "
                "another shape, 3: wrong checksum, 4: the memories do not hold what was written",
            ),
        ),
        "State of the model in the memories",
    ),
)


def _with_flags(entry: Register, *fields: Field) -> Register:
    return dataclasses.replace(entry, fields=(*entry.fields, *fields))


_RELOAD_ERRORS = (
    error_flag(8, "not_loaded", "start without a complete model, ignored"),
    error_flag(9, "load_while_busy", "LOAD_CONTROL was written while busy, and ignored"),
)

RELOAD_REGISTERS = tuple(
    sorted(
        (
            *_RELOAD,
            *(
                _with_flags(entry, *_RELOAD_ERRORS) if entry.name == "ERROR" else entry
                for entry in REGISTERS
            ),
        ),
        key=lambda entry: entry.offset,
    )
)
"""All registers of an accelerator whose model can be loaded (``build.py --reload``)."""
