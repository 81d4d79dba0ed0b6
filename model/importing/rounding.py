"""Float weights to the codes of a format with one scale per row."""

from __future__ import annotations

import numpy as np

from ..contract.decoder.formats import WeightFormat

CLIPS = {8: (1.0, 0.95, 0.9), 7: (1.0, 0.93, 0.86, 0.8)}
FINE_CLIPS = (1.0, 0.94, 0.88, 0.82, 0.76, 0.7, 0.64)
"""Shares of a row's largest weight that are tried as the largest code, by bits: the fewer levels,
the more clipping pays."""
CHUNK_WEIGHTS = 2**22
FEEDBACK_BLOCK = 64
DAMPING = 0.01
"""Share of the mean of the diagonal that is added to it: keeps the inverse tame."""


def levels(kind: WeightFormat) -> int:
    """How many values a code has."""
    return kind.high - kind.low + 1


def row_scales(weights: np.ndarray, kind: WeightFormat, moments=None) -> np.ndarray:
    """The scale of each row with the least squared error: float64 [out].

    Parameters
    ----------
    weights : float32 [out, in]
    kind : WeightFormat, int or trits
    moments : float [in], second moments of the matrix' inputs, which weigh the errors; None: ones
    """
    heights = np.ones(weights.shape[1]) if moments is None else np.asarray(moments)
    heights = (heights / max(heights.mean(), 1e-30)).astype(np.float32)
    clips = CLIPS.get(int(np.log2(levels(kind))), FINE_CLIPS)
    scales = np.empty(len(weights))
    step = max(CHUNK_WEIGHTS // weights.shape[1], 1)
    for start in range(0, len(weights), step):
        w = weights[start : start + step]
        largest = np.abs(w).max(axis=1)
        largest = np.where(largest > 0, largest, 1)
        errors = []
        for clip in clips:
            scale = (largest * np.float32(clip / kind.high))[:, None]
            off = np.clip(np.rint(w / scale), kind.low, kind.high) * scale - w
            errors.append((off * off) @ heights)
        scales[start : start + step] = largest * np.array(clips)[np.argmin(errors, axis=0)]
    return scales / kind.high


def codes(weights: np.ndarray, kind: WeightFormat, scales, products=None) -> np.ndarray:
    """The nearest codes int16 [out, in] (int8 where they fit) of weights float [out, in] over
    scales [out].

    ``products`` float [in, in], the inputs' means of x xᵀ, pass the error of each column on to
    the columns after it (GPTQ, arXiv 2210.17323).
    """
    small = kind.low >= -128 and kind.high <= 127
    scaled = weights / np.where(scales > 0, scales, 1).astype(np.float32)[:, None]
    if products is not None:
        rounded = _with_feedback(scaled, kind, np.asarray(products, np.float64))
    else:
        rounded = np.clip(np.rint(scaled), kind.low, kind.high)
    return rounded.astype(np.int8 if small else np.int16)


def _with_feedback(scaled: np.ndarray, kind: WeightFormat, products: np.ndarray) -> np.ndarray:
    diagonal = np.diag(products).copy()
    order = np.argsort(-diagonal, kind="stable")  # the heaviest inputs first
    products = products[np.ix_(order, order)]
    products[np.diag_indices_from(products)] += DAMPING * diagonal.mean() + 1e-12
    inverse = np.linalg.inv(products)
    upper = np.linalg.cholesky((inverse + inverse.T) / 2).T.astype(np.float32)
    left = scaled[:, order].astype(np.float32)
    rounded = np.empty_like(left)
    for start in range(0, left.shape[1], FEEDBACK_BLOCK):
        end = min(start + FEEDBACK_BLOCK, left.shape[1])
        errors = np.empty((len(left), end - start), np.float32)
        for j in range(start, end):
            rounded[:, j] = np.clip(np.rint(left[:, j]), kind.low, kind.high)
            errors[:, j - start] = (left[:, j] - rounded[:, j]) / upper[j, j]
            left[:, j + 1 : end] -= np.outer(errors[:, j - start], upper[j, j + 1 : end])
        left[:, end:] -= errors @ upper[start:end, end:]
    result = np.empty_like(rounded)
    result[:, order] = rounded
    return result
