"""One float matrix, or a file's blocks, as a contract matrix."""

from __future__ import annotations

import math

import numpy as np

from ..contract.decoder.formats import WeightFormat
from ..contract.decoder.matrix import MAX_BIAS, MAX_BIAS_SHIFT, MAX_SHIFT, Matrix
from ..floating.checkpoints.native_blocks import NativeBlocks, as_float
from . import rounding
from .choice import HEAD_FORMAT, NATIVE
from .native import NativeMatrix, native_matrix
from .scales import fixed_point, multipliers

MOST_BIAS = 2.0**60
"""Of a bias in units of the product: with the product it stays below 2**63."""


def integer_matrix(
    tensor: np.ndarray | NativeBlocks,
    asked: str,
    in_unit: float,
    out_unit: float | np.ndarray,
    bias: np.ndarray | None = None,
    columns: np.ndarray | None = None,
    moments: np.ndarray | None = None,
    products: np.ndarray | None = None,
) -> Matrix:
    """``tensor`` [out, in] between activations of ``in_unit`` and results of ``out_unit``.

    Parameters
    ----------
    asked : str, a format; ``native`` takes over NativeBlocks and rounds floats to ``int8``
    in_unit, out_unit : float, real value of one; ``out_unit`` also float [out]
    bias : float [out], or None
    columns : float [in] that multiply the weights (smoothing); not with native blocks
    moments, products : the inputs' second moments [in] and means of x xᵀ [in, in], or None

    Raises UserError if scales do not fit the contract's multipliers.
    """
    ratio = in_unit / np.broadcast_to(out_unit, len_of(tensor))
    most_shift = MAX_SHIFT
    if bias is not None and np.any(bias):
        largest = float(np.abs(bias / out_unit).max())
        most_shift = max(min(MAX_SHIFT, math.floor(math.log2(MOST_BIAS / largest))), 0)
    if asked == NATIVE and isinstance(tensor, NativeBlocks):
        found = native_matrix(tensor)
        mult, shift = multipliers(found.row_scale * ratio, most_shift)
        parts = _native_parts(found)
    else:
        kind = _float_format(asked)
        weights = as_float(tensor)
        if columns is not None:
            weights = weights * columns.astype(np.float32)
            moments = None if moments is None else moments / columns**2
            products = None if products is None else products / np.outer(columns, columns)
        mult, shift = multipliers(rounding.row_scales(weights, kind, moments) * ratio, most_shift)
        exact = mult * 2.0**-shift / ratio
        parts = {"format": kind, "codes": rounding.codes(weights, kind, exact, products)}
    bias_shift = 0
    if bias is not None:
        scaled = np.asarray(bias, np.float64) / out_unit * 2.0**shift
        bias, bias_shift = fixed_point(scaled, MAX_BIAS, MAX_BIAS_SHIFT)
    return Matrix(**parts, mult=mult, shift=shift, bias=bias, bias_shift=bias_shift)


def embedding_matrix(
    tensor: np.ndarray | NativeBlocks,
    asked: str,
    least_unit: float,
    moments: np.ndarray | None = None,
    products: np.ndarray | None = None,
) -> tuple[Matrix, float, float]:
    """(matrix, base, unit): the token embedding; its integers times ``mult`` times ``base`` are
    real values, and ``unit`` is what one is in the residual stream, ``least_unit`` or more.

    One power of two lies between base and unit, so that a tied head can use the same matrix.
    """
    if asked == NATIVE and isinstance(tensor, NativeBlocks):
        found = native_matrix(tensor)
        row_scale, parts = found.row_scale, _native_parts(found)
    else:
        kind, weights = _float_format(asked), as_float(tensor)
        row_scale, parts = rounding.row_scales(weights, kind, moments), None
    _, up = multipliers(row_scale, MAX_SHIFT)
    shift = min(max(math.floor(math.log2(least_unit) + up), 0), MAX_SHIFT)
    base = max(least_unit * 2.0**-shift, 2.0**-up)
    mult = np.rint(row_scale / base).astype(np.int64)
    if parts is None:
        parts = {"format": kind, "codes": rounding.codes(weights, kind, mult * base, products)}
    return Matrix(**parts, mult=mult, shift=shift), base, base * 2.0**shift


def len_of(tensor: np.ndarray | NativeBlocks) -> int:
    """Rows."""
    return tensor.shape[0]


def _float_format(asked: str) -> WeightFormat:
    return WeightFormat.parse(HEAD_FORMAT if asked == NATIVE else asked)


def _native_parts(found: NativeMatrix) -> dict:
    return {
        "format": found.format,
        "codes": found.codes,
        "group_scale": found.group_scale,
        "group_min": found.group_min,
        "min_shift": found.min_shift,
    }
