"""Ranges of a float decoder's activations on a text: what static scales are made from."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from ..evaluation.quality import Progress
from ..floating.decoder import FloatDecoder
from ..support.errors import UserError

MATRIX_INPUTS = ("attn_norm", "attn", "ffn_norm", "hidden", "final_norm")
"""Stages that enter a matrix: they keep second moments."""
MASSIVE = 8.0
"""A token whose largest value is so many times that of the median token's is massive."""
BOS_EVERY = 2
"""Every second calibration window begins with BOS, as a text does; the others in its middle."""


@dataclasses.dataclass(frozen=True, eq=False)
class Ranges:
    """What a decoder's stages reached.

    Parameters
    ----------
    largest : dict of stage (:meth:`FloatDecoder.logits`) to float [features]: largest magnitudes.
        Of k with rotary positions it is the radius of a channel's pair, which no position changes.
    moments : dict of stage, of those that enter a matrix, to float [features]: means of squares
    ordinary : dict of stage, of those that enter down_proj, to float [features]: means of squares
        over the tokens that have no massive activation
    products : dict of stage to float32 [features, features]: means of x xᵀ; empty if not asked for
    count : int, tokens that were seen
    """

    largest: dict[str, np.ndarray]
    moments: dict[str, np.ndarray]
    ordinary: dict[str, np.ndarray]
    products: dict[str, np.ndarray]
    count: int

    def most(self, stage: str) -> float:
        """Largest magnitude of a stage, never 0."""
        return max(float(self.largest[stage].max()), 1e-6)


def calibration_windows(
    tokens, length: int, count: int, bos: int | None = None
) -> list[np.ndarray]:
    """``count`` windows of ``length`` tokens at equal distances in ``tokens`` [n].

    Every second one, from the first on, begins with ``bos`` if the model has one: what follows a
    BOS is where decoders keep their largest activations, and a text's middle has others.

    Raises UserError if the text has fewer than ``length * count`` tokens.
    """
    tokens = np.asarray(tokens)
    if len(tokens) < length * count:
        raise UserError(
            f"the calibration text has {len(tokens)} tokens, expected at least {length * count} "
            f"({count} windows of {length}); give a longer text or fewer windows"
        )
    starts = np.linspace(0, len(tokens) - length, count).astype(int)
    windows = [tokens[start : start + length].copy() for start in starts]
    if bos is not None:
        for window in windows[::BOS_EVERY]:
            window[1:] = window[:-1].copy()
            window[0] = bos
    return windows


def calibrate(
    decoder: FloatDecoder,
    windows: Sequence[np.ndarray],
    products: bool = False,
    prefix: Sequence[int] = (),
    progress: Progress | None = None,
) -> Ranges:
    """Ranges of all stages over windows of tokens, each fed from position 0 after ``prefix``.

    ``products`` also keeps the products of the inputs' features, which error feedback needs (in
    float32, d_ff² numbers per layer). ``progress`` is called after every window.

    Raises UserError if there is no window, and if a stage is not finite.
    """
    if not len(windows):
        raise UserError("calibration needs at least one window of tokens, not 0; give a text")
    collector = _Collector(decoder.shape, products)
    for done, window in enumerate(windows, 1):
        tokens = np.concatenate([np.asarray(prefix, np.int64), np.asarray(window, np.int64)])
        decoder.logits(tokens[None], collector.see)
        collector.count += len(tokens)
        if progress:
            progress(done, len(windows))
    return collector.ranges()


class _Collector:
    def __init__(self, shape, products: bool):
        self.shape, self._wants_products = shape, products
        self.largest: dict[str, np.ndarray] = {}
        self.squares: dict[str, np.ndarray] = {}
        self.ordinary: dict[str, list[np.ndarray]] = {}
        self.products: dict[str, np.ndarray] = {}
        self.count = 0

    def see(self, stage: str, array: np.ndarray) -> None:
        flat = array.reshape(-1, array.shape[-1])
        kind = stage.rpartition(".")[2]
        size = self._radius(flat) if kind == "k" and self.shape.positions == "rotary" else flat
        largest = np.maximum(size.max(axis=0), -size.min(axis=0)).astype(np.float64)
        if not np.isfinite(largest).all():
            raise UserError(
                f"the model's {stage} is not a finite number on the calibration text; its weights "
                "are damaged"
            )
        self.largest[stage] = np.maximum(self.largest.get(stage, 0.0), largest)
        if kind in MATRIX_INPUTS:
            squares = np.einsum("ij,ij->j", flat, flat, dtype=np.float64)
            self.squares[stage] = self.squares.get(stage, 0.0) + squares
            if kind == "hidden":
                self._add_ordinary(stage, flat)
            if self._wants_products:
                self.products[stage] = self.products.get(stage, np.float32(0)) + flat.T @ flat

    def _add_ordinary(self, stage: str, flat: np.ndarray) -> None:
        sizes = np.abs(flat).max(axis=1)
        ordinary = flat[sizes <= MASSIVE * np.median(sizes)]
        means = np.einsum("ij,ij->j", ordinary, ordinary, dtype=np.float64) / len(ordinary)
        self.ordinary.setdefault(stage, []).append(means)

    def _radius(self, flat: np.ndarray) -> np.ndarray:
        a, b = np.split(flat.reshape(len(flat), -1, self.shape.head_dim), 2, axis=-1)
        radius = np.hypot(a, b)
        return np.concatenate([radius, radius], axis=-1).reshape(flat.shape)

    def ranges(self) -> Ranges:
        return Ranges(
            self.largest,
            {stage: total / self.count for stage, total in self.squares.items()},
            {stage: np.mean(means, axis=0) for stage, means in self.ordinary.items()},
            {stage: total / np.float32(self.count) for stage, total in self.products.items()},
            self.count,
        )
