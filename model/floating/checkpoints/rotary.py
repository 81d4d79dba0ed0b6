"""Inverse frequencies of rotary positions, and their known scalings."""

from __future__ import annotations

import math

import numpy as np


def inverse_frequencies(base: float, head_dim: int) -> np.ndarray:
    """``base ** (-2j / head_dim)`` for each pair j: float64 [head_dim / 2], radians per position.

    Su et al., RoFormer, arXiv 2104.09864.
    """
    return float(base) ** (-np.arange(0, head_dim, 2) / head_dim)


def scale_llama3(
    frequencies: np.ndarray, factor: float, low: float, high: float, original: float
) -> np.ndarray:
    """Frequencies as Llama 3.1 has them, for ``factor`` times the context.

    Those that turn less than ``low`` times in the ``original`` context (positions) are divided by
    the factor, those that turn more than ``high`` times are kept, and those between are blended.
    """
    turns = original * frequencies / (2 * math.pi)
    kept = np.clip((turns - low) / (high - low), 0, 1)
    return kept * frequencies + (1 - kept) * frequencies / factor


def rounded(frequencies: np.ndarray) -> tuple[float, ...]:
    """As float32, in which the field computes angles."""
    return tuple(np.asarray(frequencies, np.float32).tolist())
