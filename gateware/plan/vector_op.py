"""What the vector unit does, and how it is told: enums and payloads shared with the program."""

from __future__ import annotations

from amaranth.hdl import Shape, signed
from amaranth.lib import data, enum

from gateformer.model.contract import arith


class VectorKind(enum.Enum, shape=3):
    """Operation on one group of ``rows`` elements.

    REQUANTIZE, RELU
        Ternary accumulators × multipliers → INT8, clamped to ±127 or 0..127.
    RESIDUAL_ADD
        Ternary accumulators × multipliers → 16 bits, added to the residual group.
    RESIDUAL_LOAD
        Accumulators of the INT8 array → residual group, unscaled.
    ATTENTION
        Accumulators of the INT8 array × reciprocal → INT8.
    NORM
        Residual group × RMSNorm factor, × gains → INT8.
    """

    REQUANTIZE = 0
    RELU = 1
    RESIDUAL_ADD = 2
    RESIDUAL_LOAD = 3
    ATTENTION = 4
    NORM = 5


class Destination(enum.Enum, shape=2):
    """Memory that takes an INT8 result."""

    ACTIVATION = 0
    QUERY = 1
    KV = 2


def place_layout(row_bits: int, column_bits: int) -> dict:
    """Members that say where an INT8 group goes: a row of a memory and a group within it."""
    return {"destination": Destination, "row": row_bits, "column": column_bits}


def vector_op_layout(
    *, row_bits: int, column_bits: int, d_groups: int, scales: int
) -> data.StructLayout:
    """One operation.

    ``group``: residual group, 0 to ``d_groups`` - 1. ``scale_address``: word of the scale memory,
    0 to ``scales`` - 1. ``first``, ``last``: this RESIDUAL_ADD or RESIDUAL_LOAD is the first (last)
    of a complete new residual vector.
    """
    return data.StructLayout(
        {
            "valid": 1,
            "kind": VectorKind,
            **place_layout(row_bits, column_bits),
            "group": Shape.cast(range(d_groups)),
            "scale_address": Shape.cast(range(scales)),
            "first": 1,
            "last": 1,
        }
    )


def int8_write_layout(*, rows: int, row_bits: int, column_bits: int) -> data.StructLayout:
    """One INT8 result group and its place."""
    return data.StructLayout(
        {
            "valid": 1,
            **place_layout(row_bits, column_bits),
            "data": data.ArrayLayout(signed(arith.ACT_BITS), rows),
        }
    )


def residual_write_layout(*, rows: int, d_groups: int) -> data.StructLayout:
    """One new residual group."""
    return data.StructLayout(
        {
            "valid": 1,
            "group": Shape.cast(range(d_groups)),
            "data": data.ArrayLayout(signed(arith.RESIDUAL_BITS), rows),
        }
    )
