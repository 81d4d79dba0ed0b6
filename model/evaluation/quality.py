"""How well integers agree with the float model they were made from, on a text, window by window."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable

import numpy as np

from ..support.errors import UserError

Progress = Callable[[int, int], None]
"""Called with (done, total)."""


@dataclasses.dataclass(frozen=True)
class Agreement:
    """Figures over all predictions; those ending in ``_error`` are standard errors.

    Parameters
    ----------
    predictions : int
    perplexity, float_perplexity : exp of the mean loss, of the integers and of the float model
    ratio : their quotient, with its error (of paired losses)
    kl : mean divergence of the integers' distribution from the float one, in nats
    top1 : share of predictions whose likeliest token is the same
    """

    predictions: int
    perplexity: float
    float_perplexity: float
    ratio: float
    ratio_error: float
    kl: float
    kl_error: float
    top1: float
    top1_error: float


def agreement(
    integers: Iterable[np.ndarray],
    floats: Iterable[np.ndarray],
    targets: Iterable[np.ndarray],
    logit_scale: float,
    progress: Progress | None = None,
    total: int = 0,
) -> Agreement:
    """Agreement of two models' logits, taken from iterators so that one window is held at a time.

    Parameters
    ----------
    integers, floats : iterables of [n, vocab_size], of the same windows; ``integers`` times
        ``logit_scale`` are nats
    targets : iterable of int [n], the token that follows each
    progress, total : called after each window with (done, total)

    Raises UserError if there are fewer than two predictions, or unequally many windows.
    """
    losses, float_losses, divergences, same = [], [], [], []
    for done, (integer, floating, target) in enumerate(
        zip(integers, floats, targets, strict=True), 1
    ):
        p = log_softmax(np.asarray(floating, np.float64))
        q = log_softmax(np.asarray(integer, np.float64) * logit_scale)
        rows = np.arange(len(target))
        losses.append(-q[rows, target])
        float_losses.append(-p[rows, target])
        divergences.append((np.exp(p) * (p - q)).sum(axis=-1))
        same.append(p.argmax(axis=-1) == q.argmax(axis=-1))
        if progress:
            progress(done, total)
    if sum(map(len, losses)) < 2:
        raise UserError("agreement needs at least 2 predictions; give a longer text")
    loss, float_loss, kl, top1 = map(np.concatenate, (losses, float_losses, divergences, same))
    n = len(loss)
    ratio = math.exp(float(np.mean(loss - float_loss)))
    return Agreement(
        predictions=n,
        perplexity=math.exp(loss.mean()),
        float_perplexity=math.exp(float_loss.mean()),
        ratio=ratio,
        ratio_error=ratio * _error(loss - float_loss),
        kl=float(kl.mean()),
        kl_error=_error(kl),
        top1=float(top1.mean()),
        top1_error=_error(top1),
    )


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Over the last axis."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def _error(values: np.ndarray) -> float:
    return float(np.std(values, ddof=1) / math.sqrt(len(values)))
