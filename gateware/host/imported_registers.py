"""Registers of an accelerator for an imported model (contract version 2)."""

from __future__ import annotations

import dataclasses

from gateformer.model.contract.choices import CHOICES
from gateformer.model.contract.decoder.sampling import TOP_P_ONE, DecoderSettings

from .base_registers import REGISTERS, error_flag
from .register import Access, Field, Register

TOP_P_BITS = TOP_P_ONE.bit_length()
SHIFT_BITS = DecoderSettings.MAX_SHIFT.bit_length()
SIZE_BITS = 16
"""Width of a size in HEADS."""


def _choice(name: str, low: int) -> Field:
    names = ", ".join(f"{i}: {value}" for i, value in enumerate(CHOICES[name]))
    return Field(name, low, 4, names)


_ONLY_IMPORTED = (
    Register(
        "HEADS",
        0x038,
        Access.RO,
        (
            Field("n_kv_heads", 0, SIZE_BITS, "key and value heads"),
            Field("head_dim", SIZE_BITS, SIZE_BITS, "channels of a head"),
        ),
        "What the heads are, beside their number in N_HEADS",
    ),
    Register(
        "FAMILY",
        0x03C,
        Access.RO,
        (
            *(_choice(name, 4 * i) for i, name in enumerate(CHOICES)),
            Field("gated", 12, 1, "the feed-forward layer is activation(gate) · up"),
            Field("tied_head", 13, 1, "the output head is the token embedding"),
            Field("norm_bias", 14, 1, "norms have a bias"),
            Field("bias", 15, 1, "matrices have a bias, some of them at least"),
        ),
        "The model's architecture, as gateformer.model.contract.config.ModelConfig",
    ),
    Register(
        "TOP_P",
        0x0B0,
        Access.RW,
        (
            Field(
                "value",
                0,
                TOP_P_BITS,
                f"the likeliest tokens stay, up to this part of {TOP_P_ONE}; {TOP_P_ONE}: all",
                reset=TOP_P_ONE,
            ),
        ),
        "Top-p, after top-k",
    ),
)

_OUT_OF_RANGE = error_flag(
    10,
    "setting_out_of_range",
    f"start with TOP_P 0 or above {TOP_P_ONE}, or a shift of TEMPERATURE above "
    f"{DecoderSettings.MAX_SHIFT}, ignored",
)

_ABSENT = ("ENGINE_ROWS", "ENGINE_COLS")


def _of_imported(entry: Register) -> Register:
    if entry.name == "TEMPERATURE":
        mult, shift = entry.fields
        wide = dataclasses.replace(mult, width=DecoderSettings.MULT_BITS)
        above = dataclasses.replace(shift, low=wide.width, width=SHIFT_BITS)
        text = "Temperature, as gateformer.model.contract.decoder.sampling.DecoderSettings"
        return dataclasses.replace(entry, fields=(wide, above), description=text)
    if entry.name == "ERROR":
        return dataclasses.replace(entry, fields=(*entry.fields, _OUT_OF_RANGE))
    if entry.name == "ARRAY_LANES":
        return dataclasses.replace(entry, description="multipliers side by side")
    return entry


IMPORTED_REGISTERS = tuple(
    sorted(
        (
            *_ONLY_IMPORTED,
            *(_of_imported(entry) for entry in REGISTERS if entry.name not in _ABSENT),
        ),
        key=lambda entry: entry.offset,
    )
)
"""All registers of an accelerator for an imported model, by rising offset."""
