"""Tokens until the context is full, and what follows: its last half as a new sequence's prompt."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

from .sampling import SamplingSettings


def refed_window(
    tokens: Sequence[int], ctx_len: int, settings: SamplingSettings
) -> tuple[list[int], SamplingSettings]:
    """The next sequence's prompt and settings, after ``tokens`` have filled the context.

    The last ``ctx_len // 2`` tokens are kept (at least 1), with seed + 1, modulo 2**32.
    """
    kept = max(ctx_len // 2, 1)
    return list(tokens[-kept:]), dataclasses.replace(settings, seed=(settings.seed + 1) % 2**32)


def drawn(logits, sampler, sequence, count: int, ctx_len: int) -> Iterator[int]:
    """Yield up to ``count`` tokens of ``sampler``, until the context is full.

    ``logits`` are those after the prompt, which ``sequence`` was fed; its ``step`` takes a token
    to the next ones, its ``position`` is the number of tokens that it has.
    """
    for remaining in range(count, 0, -1):
        token = sampler.choose(logits)
        yield token
        if remaining == 1 or sequence.position >= ctx_len:
            return
        logits = sequence.step(token)
