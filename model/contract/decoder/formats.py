"""Weight formats of contract version 2, and codes packed to their bits."""

from __future__ import annotations

import dataclasses
import re

import numpy as np

from ...support.errors import UserError
from ..arith import max_weight
from ..config import MAX_DIGITS

GROUPS = (16, 32)
"""Columns that may share a scale."""


@dataclasses.dataclass(frozen=True)
class WeightFormat:
    """How the integers of a matrix are stored.

    Parameters
    ----------
    kind : ``int`` (signed codes, a scale per row), ``trits`` (balanced-ternary digits) or
        ``block`` (codes with a scale per group of columns)
    bits : int, of a code: 4..8; for trits their number, 1..5
    group : int, columns of a group (16 or 32); 0 if there are none
    minimum : bool, codes are unsigned and each group has a minimum
    """

    kind: str
    bits: int
    group: int = 0
    minimum: bool = False

    @classmethod
    def parse(cls, text: str) -> WeightFormat:
        """From ``int8``, ``trits:4``, ``block:4:32`` or ``block:4:32:min``; UserError if none."""
        if found := re.fullmatch(r"int([4-8])", text):
            return cls("int", int(found[1]))
        if found := re.fullmatch(rf"trits:([1-{MAX_DIGITS}])", text):
            return cls("trits", int(found[1]))
        if found := re.fullmatch(r"block:([4-8]):(16|32)(:min)?", text):
            return cls("block", int(found[1]), int(found[2]), found[3] is not None)
        raise UserError(
            f"weight format {text!r} is unknown; expected int4 to int8, trits:1 to "
            f"trits:{MAX_DIGITS}, or block:BITS:GROUP with 4 to 8 bits and groups of 16 or 32 "
            "(and :min)"
        )

    def __str__(self) -> str:
        if self.kind == "block":
            return f"block:{self.bits}:{self.group}" + (":min" if self.minimum else "")
        return f"int{self.bits}" if self.kind == "int" else f"trits:{self.bits}"

    @property
    def low(self) -> int:
        """Smallest code."""
        if self.kind == "trits":
            return -max_weight(self.bits)
        return 0 if self.minimum else -(2 ** (self.bits - 1))

    @property
    def high(self) -> int:
        """Largest code."""
        if self.kind == "trits":
            return max_weight(self.bits)
        return 2**self.bits - 1 if self.minimum else 2 ** (self.bits - 1) - 1

    @property
    def bits_per_weight(self) -> float:
        """Bits in memory, scales and minimums of groups included; 5 trits take 8 bits."""
        if self.kind == "trits":
            return self.bits * 8 / 5
        return self.bits + (8 * (1 + self.minimum) / self.group if self.group else 0)


def pack_bits(codes: np.ndarray, bits: int) -> np.ndarray:
    """Bytes (uint8, one dimension) of integer codes in C order, ``bits`` each in two's complement.

    The first code lies in the lowest bits of the first byte; zeros fill the last byte.
    """
    flat = (np.asarray(codes).ravel().astype(np.int16) & (2**bits - 1)).astype(np.uint8)
    if bits == 8:
        return flat
    if bits == 4:
        flat = np.pad(flat, (0, len(flat) % 2))
        return flat[0::2] | (flat[1::2] << 4)
    places = np.unpackbits(flat[:, None], axis=1, count=bits, bitorder="little")
    return np.packbits(places.ravel(), bitorder="little")


def unpack_bits(packed: np.ndarray, bits: int, count: int, signed: bool) -> np.ndarray:
    """The first ``count`` codes of :func:`pack_bits`: int8 if ``signed``, else uint8.

    Raises UserError if there are too few or too many bytes, or bits beyond the last code are set.
    """
    packed = np.asarray(packed, np.uint8).ravel()
    n_bytes = -(-count * bits // 8)
    if len(packed) != n_bytes:
        raise UserError(
            f"{count} codes of {bits} bits must be packed in {n_bytes} bytes, not {len(packed)}"
        )
    spare = n_bytes * 8 - count * bits
    if spare and packed[-1] >> (8 - spare):
        raise UserError("bits after the last packed code must be 0")
    if bits == 8:
        codes = packed
    elif bits == 4:
        codes = np.empty(2 * n_bytes, np.uint8)
        codes[0::2], codes[1::2] = packed & 15, packed >> 4
        codes = codes[:count]
    else:
        places = np.unpackbits(packed, count=count * bits, bitorder="little").reshape(count, bits)
        codes = np.packbits(places, axis=1, bitorder="little")[:, 0]
    if not signed:
        return codes
    spare = 8 - bits
    return (codes << spare).view(np.int8) >> spare
