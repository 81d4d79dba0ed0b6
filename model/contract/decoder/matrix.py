"""A matrix of contract version 2: codes, what scales them, and its requantizer."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np

from ...support.errors import UserError
from ...support.numbers import check_integer
from .arith import MAX_MULT
from .formats import WeightFormat

MAX_SHIFT = 62
MAX_MIN_SHIFT = 7
MAX_BIAS_SHIFT = 30
MAX_BIAS = 2**31 - 1
CHUNK_WEIGHTS = 2**22
"""Weights that are widened at once: bounds the memory."""


@dataclasses.dataclass(frozen=True, eq=False)
class Matrix:
    """One quantized matrix, checked on construction.

    Parameters
    ----------
    format : WeightFormat
    codes : integer array [out, in], ``format.low`` to ``format.high``; int8 or int16
    mult : int array [out], 0..65535; ``shift`` int, 0..62: its requantizer
    group_scale : int array [out, in / group], 0..255, of a block format; else None
    group_min : int array [out, in / group], -128..127, if the format has minimums; ``min_shift``
        0..7
    bias : int array [out], ±(2**31 - 1), or None; ``bias_shift`` 0..30

    Raises
    ------
    UserError
        Saying what is out of range; the caller names the matrix.
    """

    format: WeightFormat
    codes: np.ndarray
    mult: np.ndarray
    shift: int
    group_scale: np.ndarray | None = None
    group_min: np.ndarray | None = None
    min_shift: int = 0
    bias: np.ndarray | None = None
    bias_shift: int = 0

    def __post_init__(self):
        kind, (out, inp) = self.format, self.codes.shape
        check_range("codes", self.codes, (out, inp), kind.low, kind.high)
        check_range("mult", self.mult, (out,), 0, MAX_MULT)
        check_integer("shift", self.shift, 0, MAX_SHIFT)
        check_integer("min_shift", self.min_shift, 0, MAX_MIN_SHIFT if kind.minimum else 0)
        check_integer("bias_shift", self.bias_shift, 0, MAX_BIAS_SHIFT if self.has_bias else 0)
        if kind.group and inp % kind.group:
            raise UserError(f"groups of {kind.group} columns do not divide a row of {inp}")
        groups = (out, inp // kind.group) if kind.group else None
        _check_optional("group_scale", self.group_scale, groups, 0, 255)
        _check_optional("group_min", self.group_min, groups if kind.minimum else None, -128, 127)
        if self.has_bias:
            check_range("bias", self.bias, (out,), -MAX_BIAS, MAX_BIAS)

    @property
    def has_bias(self) -> bool:
        return self.bias is not None

    @property
    def shape(self) -> tuple[int, int]:
        """(out, in)"""
        return self.codes.shape

    def weight(self, rows=slice(None)) -> np.ndarray:
        """The integers W of some rows (an index or a slice): int32 [..., in]."""
        codes = self.codes[rows].astype(np.int32)
        if not self.format.group:
            return codes
        group = self.format.group
        scaled = codes.reshape(*codes.shape[:-1], -1, group)
        scaled = scaled * self.group_scale[rows].astype(np.int32)[..., None]
        if self.format.minimum:
            scaled += (self.group_min[rows].astype(np.int32) << self.min_shift)[..., None]
        return scaled.reshape(codes.shape)

    def row_chunks(self) -> list[slice]:
        """Slices of rows that are widened at once."""
        out, inp = self.shape
        step = max(CHUNK_WEIGHTS // inp, 1)
        return [slice(start, min(start + step, out)) for start in range(0, out, step)]

    @functools.cached_property
    def row_bound(self) -> int:
        """Largest sum of \\|W\\| of a row."""
        chunks = (
            np.abs(self.weight(rows)).sum(axis=1, dtype=np.int64) for rows in self.row_chunks()
        )
        return int(max(chunk.max() for chunk in chunks))

    def product(self, a) -> np.ndarray:
        """(W a) * mult + bias of activations [..., in]: int64 [..., out].

        By way of float64: sums of |W| times activations stay below 2**53.
        """
        a = np.asarray(a, np.float64)
        out = np.empty((*a.shape[:-1], self.shape[0]), np.int64)
        for rows in self.row_chunks():
            acc = np.rint(a @ self.weight(rows).astype(np.float64).T).astype(np.int64)
            out[..., rows] = acc * np.asarray(self.mult[rows], np.int64)
        if self.has_bias:
            out += np.asarray(self.bias, np.int64) << self.bias_shift
        return out

    @property
    def bits(self) -> float:
        """Bits of all its numbers in memory: codes, scales, multipliers, biases."""
        per_row = 16 + 32 * self.has_bias
        return self.codes.size * self.format.bits_per_weight + self.shape[0] * per_row


def check_range(name: str, array, shape, low: int, high: int) -> None:
    """UserError naming what has another shape or a value outside low..high."""
    if tuple(array.shape) != tuple(shape):
        raise UserError(f"{name} must have shape {tuple(shape)}, not {tuple(array.shape)}")
    if array.size and (array.min() < low or array.max() > high):
        outside = array[(array < low) | (array > high)]
        raise UserError(f"{name} must be in {low}..{high}, but has {outside.flat[0]}")


def _check_optional(name: str, array, shape, low: int, high: int) -> None:
    if (array is None) != (shape is None):
        raise UserError(f"{name} is missing" if array is None else f"{name} is not expected")
    if array is not None:
        check_range(name, array, shape, low, high)
