"""Massive activations: a few channels of down_proj's input that, at a few tokens, are hundreds of
times larger than all else (arXiv 2402.17762). One static scale for all channels would round the
others away."""

from __future__ import annotations

import numpy as np

STEPS = 2.0 ** -np.arange(0, 10.5, 0.5)
"""Levels, of the largest channel, that are tried."""
LEAST_GAIN = 0.01
"""Share of the error that a lower level must save."""
MOST_NOISE = 0.04
"""Rounding noise that a down_proj of native codes may have at its input, of ordinary tokens'
root mean square; beyond it the matrix gets 8 bits and factors of its columns."""


def noise(largest: np.ndarray, ordinary: np.ndarray, levels: float) -> float:
    """Root mean square of the rounding of one scale for all channels, relative to the input's.

    Parameters
    ----------
    largest : float [channels], of all tokens
    ordinary : float [channels], mean squares over tokens that are not massive
    levels : float, steps up to the largest, the headroom taken off
    """
    unit = float(largest.max()) / levels
    return unit / np.sqrt(12) / max(float(np.sqrt(ordinary.mean())), 1e-12)


def channel_factors(
    weights: np.ndarray,
    largest: np.ndarray,
    ordinary: np.ndarray,
    levels: float,
    weight_levels: int,
) -> np.ndarray:
    """What divides each channel of the input and multiplies its column of weights: float [in].

    Channels larger than a level are lowered to it. The level is the one with the least error in the
    output of ordinary tokens: a low one has finer activations, and coarser weights, as the largest
    of a row grows.

    Parameters
    ----------
    weights : float [out, in]
    largest, ordinary, levels : as in :func:`noise`
    weight_levels : int, largest code of the weights
    """
    squares = (weights.astype(np.float64) ** 2).sum(axis=0)
    magnitudes = np.abs(weights)
    top = float(largest.max())
    best, found = np.inf, np.ones(len(largest))
    for step in STEPS:
        factors = np.maximum(largest / (top * step), 1.0)
        of_activations = (top * step / levels) ** 2 * float(squares @ factors**2)
        rows = (magnitudes * factors.astype(np.float32)).max(axis=1).astype(np.float64)
        of_weights = float(((rows / weight_levels) ** 2).sum() * (ordinary / factors**2).sum())
        if of_activations + of_weights < best * (1 - LEAST_GAIN):
            best, found = of_activations + of_weights, factors
    return found
