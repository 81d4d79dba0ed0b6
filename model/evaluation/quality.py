"""How well integers agree with the float model they were made from, on a text."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

from ..support.errors import UserError

Progress = Callable[[int, int], None]
"""Called with (done, total)."""
DEFAULT_TOKENS = 32_768
"""Predictions that are measured unless another number is asked for."""
WINDOW = 512
"""Tokens of a window, or the context if that is shorter."""
CHUNK_LOGITS = 2**18
"""Logits that are widened to float64 at once: they fit a cache."""


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


class Comparison(NamedTuple):
    """Figures [n] of n predictions: losses of the integers and of the float model, divergences of
    their distributions, and whether they have the same likeliest token."""

    losses: np.ndarray
    float_losses: np.ndarray
    divergences: np.ndarray
    same: np.ndarray


def compare(
    integer: np.ndarray, floating: np.ndarray, target: np.ndarray, logit_scale: float
) -> Comparison:
    """Compare two models' logits [n, vocab_size]; ``integer`` times ``logit_scale`` are nats.

    ``target`` is int [n], the token that follows each. A few rows are widened at a time.
    """
    found = Comparison(*(np.empty(len(target), kind) for kind in (float, float, float, bool)))
    step = max(CHUNK_LOGITS // integer.shape[-1], 1)
    p, q, scratch = np.empty((3, min(step, len(target)), integer.shape[-1]))
    for start in range(0, len(target), step):
        rows, here = slice(start, start + step), np.arange(len(target[start : start + step]))
        p, q, scratch = p[: len(here)], q[: len(here)], scratch[: len(here)]
        p[...] = floating[rows]
        np.multiply(integer[rows], logit_scale, out=q)
        _to_log_softmax(p, scratch)
        _to_log_softmax(q, scratch)
        found.losses[rows] = -q[here, target[rows]]
        found.float_losses[rows] = -p[here, target[rows]]
        found.same[rows] = p.argmax(axis=-1) == q.argmax(axis=-1)
        np.exp(p, out=scratch)
        scratch *= np.subtract(p, q, out=q)
        found.divergences[rows] = scratch.sum(axis=-1)
    return found


def losses(logits: np.ndarray, target: np.ndarray, logit_scale: float) -> np.ndarray:
    """Of predictions [n] by integer logits [n, vocab_size], in nats."""
    found, step = np.empty(len(target)), max(CHUNK_LOGITS // logits.shape[-1], 1)
    for start in range(0, len(target), step):
        p = log_softmax(logits[start : start + step] * logit_scale)
        wanted = target[start : start + step]
        found[start : start + step] = -p[np.arange(len(wanted)), wanted]
    return found


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
    integers, floats, targets, logit_scale : iterables of what :func:`compare` takes
    progress, total : called after each window with (done, total)

    Raises UserError if there are fewer than two predictions, ValueError if unequally many windows.
    """
    found = []
    windows = zip(integers, floats, targets, strict=True)
    for done, (integer, floating, target) in enumerate(windows, 1):
        found.append(compare(integer, floating, target, logit_scale))
        if progress:
            progress(done, total)
    return summary(found)


def summary(comparisons: Iterable[Comparison]) -> Agreement:
    """Agreement over all of them; UserError if there are fewer than two predictions."""
    loss, float_loss, kl, same = map(np.concatenate, zip(_NOTHING, *comparisons, strict=True))
    n = len(loss)
    if n < 2:
        raise UserError("agreement needs at least 2 predictions; give a longer text")
    ratio = math.exp(float(np.mean(loss - float_loss)))
    return Agreement(
        predictions=n,
        perplexity=math.exp(loss.mean()),
        float_perplexity=math.exp(float_loss.mean()),
        ratio=ratio,
        ratio_error=ratio * _error(loss - float_loss),
        kl=float(kl.mean()),
        kl_error=_error(kl),
        top1=float(same.mean()),
        top1_error=_error(same),
    )


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Over the last axis."""
    logits = np.array(logits, np.float64)
    _to_log_softmax(logits, np.empty_like(logits))
    return logits


def _to_log_softmax(logits: np.ndarray, scratch: np.ndarray) -> None:
    logits -= logits.max(axis=-1, keepdims=True)
    logits -= np.log(np.exp(logits, out=scratch).sum(axis=-1, keepdims=True))


_NOTHING = Comparison(*(np.empty(0, kind) for kind in (float, float, float, bool)))


def _error(values: np.ndarray) -> float:
    return float(np.std(values, ddof=1) / math.sqrt(len(values)))
