"""Matrices of an imported model in the order in which ``decoder_rows.h`` uses them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..contract.decoder.matrix import Matrix

ROWS = 16
"""Rows that are multiplied together."""
COLUMNS = 8
"""Columns come in multiples of this many (a group is one already)."""
QUAD = 4
"""Columns of a row that lie side by side."""
NIBBLE = (-8, 7)


class PackedMatrix(NamedTuple):
    """What ``Matrix`` of ``decoder_rows.h`` points to; rows are padded to :data:`ROWS`.

    ``codes`` int8 [blocks, padded / 4, ROWS, 4], of nibbles [blocks, padded / 8, ROWS, 4];
    ``scale`` and ``low`` [blocks, groups, ROWS] or None; ``offset`` is what codes were lessened by;
    ``added`` int64 [rows] is what sums times ``mult`` lack.
    """

    padded: int
    nibbles: bool
    offset: int
    codes: np.ndarray
    scale: np.ndarray | None
    low: np.ndarray | None
    mult: np.ndarray
    added: np.ndarray


def pack(matrix: Matrix, input_zero: int) -> PackedMatrix:
    """``matrix`` as the C code wants it; 4 bits a code where they suffice.

    ``input_zero`` is what the C code adds to activations before it multiplies them.
    """
    kind, (out, inp) = matrix.format, matrix.shape
    # Unsigned codes of 8 bits do not fit signed bytes: all unsigned ones are kept less offset.
    offset = (kind.high + 1) // 2 if kind.minimum else 0
    nibbles = NIBBLE[0] <= kind.low - offset and kind.high - offset <= NIBBLE[1]
    rows, padded = -out % ROWS, inp + -inp % COLUMNS
    codes = np.zeros((out + rows, padded), np.int8)
    codes[:out, :inp] = matrix.codes - np.asarray(offset, matrix.codes.dtype)
    mult = np.pad(matrix.mult, (0, rows)).astype(np.int64)
    added = -input_zero * _row_sums(codes, matrix) * mult
    if matrix.has_bias:
        added[:out] += np.asarray(matrix.bias, np.int64) << matrix.bias_shift
    codes = codes.reshape(-1, ROWS, padded // QUAD, QUAD).transpose(0, 2, 1, 3)
    if nibbles:
        codes = (codes[:, ::2] & 15) | (codes[:, 1::2] << 4)
    scale, low = _by_rows(matrix.group_scale), _by_rows(matrix.group_min)
    return PackedMatrix(padded, nibbles, offset, codes, scale, low, mult, added)


def _row_sums(codes: np.ndarray, matrix: Matrix) -> np.ndarray:
    """Sum over each row of padded ``codes`` [rows, padded] times the scales of their groups."""
    if not matrix.format.group:
        return codes.sum(axis=1, dtype=np.int64)
    scale = np.pad(matrix.group_scale, ((0, len(codes) - len(matrix.group_scale)), (0, 0)))
    sums = codes.reshape(*scale.shape, matrix.format.group).sum(axis=2, dtype=np.int64)
    return (sums * scale).sum(axis=1)


def _by_rows(groups: np.ndarray | None) -> np.ndarray | None:
    if groups is None:
        return None
    padded = np.pad(groups, ((0, -len(groups) % ROWS), (0, 0)))
    return padded.reshape(-1, ROWS, padded.shape[1]).transpose(0, 2, 1)
