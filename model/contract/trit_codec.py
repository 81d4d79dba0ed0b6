"""Balanced-ternary digits (trits) of weights, and their file format: 5 trits in 8 bits."""

from __future__ import annotations

import numpy as np

from ..support.errors import UserError
from .arith import max_weight

TRITS_PER_BYTE = 5
MAX_BYTE = 3**TRITS_PER_BYTE - 1
_PLACES = 3 ** np.arange(TRITS_PER_BYTE)


def to_digits(weight: np.ndarray, digits: int) -> np.ndarray:
    """Trits in -1..1 [digits, …] of the integers ``weight`` […], the high digit first.

    Raises ValueError if a weight does not fit into that many digits.
    """
    weight = np.asarray(weight, np.int64)
    bound = max_weight(digits)
    if np.abs(weight).max(initial=0) > bound:
        raise ValueError(f"weights of {digits} digits must be in -{bound}..{bound}")
    planes = []
    for _ in range(digits):
        digit = (weight + 1) % 3 - 1
        weight = (weight - digit) // 3
        planes.append(digit)
    return np.stack(planes[::-1])


def from_digits(planes: np.ndarray) -> np.ndarray:
    """Integers […] of the trit planes [digits, …], the high digit first."""
    value = np.zeros(planes.shape[1:], np.int64)
    for plane in planes:
        value = 3 * value + plane
    return value


def pack_5in8(trits: np.ndarray) -> np.ndarray:
    """Bytes (uint8, one dimension) of the trits -1..1, taken in C order.

    Each byte is a base-243 numeral: trit i of a group counts ``(trit + 1) * 3**i``. The last group
    is filled up with zeros.
    """
    flat = np.asarray(trits, np.int64).ravel()
    padded = np.pad(flat, (0, -len(flat) % TRITS_PER_BYTE))
    return ((padded.reshape(-1, TRITS_PER_BYTE) + 1) @ _PLACES).astype(np.uint8)


def unpack_5in8(packed: np.ndarray, count: int) -> np.ndarray:
    """The first ``count`` trits (int64, one dimension) of :func:`pack_5in8` bytes.

    Raises UserError if a byte is no group of five trits or there are too few or too many bytes.
    """
    packed = np.asarray(packed, np.int64).ravel()
    n_bytes = -(-count // TRITS_PER_BYTE)
    if len(packed) != n_bytes:
        raise UserError(f"{count} trits must be packed in {n_bytes} bytes, not {len(packed)}")
    if packed.max(initial=0) > MAX_BYTE:
        raise UserError(f"packed trits must be bytes in 0..{MAX_BYTE}, but have {packed.max()}")
    return (packed[:, None] // _PLACES % 3 - 1).ravel()[:count]
