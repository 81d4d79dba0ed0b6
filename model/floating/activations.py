"""Activation functions of feed-forwards in numpy, float32 in and out."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

ERF_STEP, ERF_END = 1 / 64, 6.0
"""Between the points at which erf is known exactly, and beyond which it is 1 (to 2**-53)."""
_ERF = np.array([math.erf(i * ERF_STEP) for i in range(int(ERF_END / ERF_STEP) + 1)])


def erf(x: np.ndarray) -> np.ndarray:
    """The error function, float64 of x's shape: within 1e-9 for all finite x.

    Numpy has none: this is its Taylor series to the third order about the nearest known point.
    """
    size = np.minimum(np.abs(x).astype(np.float64), ERF_END)
    index = np.rint(size / ERF_STEP).astype(np.int64)
    point = index * ERF_STEP
    d = size - point
    slope = 2 / math.sqrt(math.pi) * np.exp(-point * point)
    value = _ERF[index] + slope * d * (1 - point * d + (2 * point * point - 1) / 3 * d * d)
    return np.copysign(value, x)


def relu(x: np.ndarray) -> np.ndarray:
    """max(x, 0)."""
    return np.maximum(x, np.float32(0))


def silu(x: np.ndarray) -> np.ndarray:
    """x / (1 + exp(-x))."""
    with np.errstate(over="ignore"):  # to infinity, whose quotient is the limit
        return x / (1 + np.exp(-x))


def gelu(x: np.ndarray) -> np.ndarray:
    """x * Phi(x), the normal distribution's function; Hendrycks and Gimpel, arXiv 1606.08415."""
    return (0.5 * x * (1 + erf(x / math.sqrt(2)))).astype(np.float32)


def gelu_tanh(x: np.ndarray) -> np.ndarray:
    """Its approximation by tanh, of GPT-2."""
    inner = np.float32(math.sqrt(2 / math.pi)) * (x + np.float32(0.044715) * x * x * x)
    return np.float32(0.5) * x * (1 + np.tanh(inner))


FUNCTIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "relu": relu,
    "silu": silu,
    "gelu": gelu,
    "gelu_tanh": gelu_tanh,
}
"""By the names in :data:`model.floating.decoder_shape.ACTIVATIONS`."""
