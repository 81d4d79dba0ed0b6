"""Matrices of an imported model in the order in which ``decoder_rows.h`` uses them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..contract.decoder.matrix import Matrix

ROWS = 16
"""Rows that are multiplied together."""
COLUMNS = 4
"""Columns come in multiples of this many (a group is one already)."""
NIBBLE = (-8, 7)


class PackedMatrix(NamedTuple):
    """What ``Matrix`` of ``decoder_rows.h`` points to; rows are padded to :data:`ROWS`.

    ``codes`` int8 [blocks, padded / 2, ROWS, 2], of nibbles [blocks, padded / 4, ROWS, 2];
    ``scale`` and ``low`` [blocks, groups, ROWS] or None; ``offset`` is what codes were lessened by.
    """

    padded: int
    nibbles: bool
    offset: int
    codes: np.ndarray
    scale: np.ndarray | None
    low: np.ndarray | None
    mult: np.ndarray
    bias: np.ndarray | None


def pack(matrix: Matrix) -> PackedMatrix:
    """``matrix`` as the C code wants it; 4 bits a code where they suffice."""
    kind, (out, inp) = matrix.format, matrix.shape
    # Unsigned codes of 8 bits do not fit signed bytes: all unsigned ones are kept less offset.
    offset = (kind.high + 1) // 2 if kind.minimum else 0
    nibbles = NIBBLE[0] <= kind.low - offset and kind.high - offset <= NIBBLE[1]
    rows, padded = -out % ROWS, inp + -inp % COLUMNS
    codes = np.zeros((out + rows, padded), np.int8)
    codes[:out, :inp] = matrix.codes - np.asarray(offset, matrix.codes.dtype)
    codes = codes.reshape(-1, ROWS, padded // 2, 2).transpose(0, 2, 1, 3)
    if nibbles:
        codes = (codes[:, ::2] & 15) | (codes[:, 1::2] << 4)
    bias = matrix.bias
    if bias is not None:
        bias = np.pad(np.asarray(bias, np.int64) << matrix.bias_shift, (0, rows))
    mult = np.pad(matrix.mult, (0, rows))
    scale, low = _by_rows(matrix.group_scale), _by_rows(matrix.group_min)
    return PackedMatrix(padded, nibbles, offset, codes, scale, low, mult, bias)


def _by_rows(groups: np.ndarray | None) -> np.ndarray | None:
    if groups is None:
        return None
    padded = np.pad(groups, ((0, -len(groups) % ROWS), (0, 0)))
    return padded.reshape(-1, ROWS, padded.shape[1]).transpose(0, 2, 1)
