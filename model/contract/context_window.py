"""What follows a full context: its last half as the prompt of a new sequence."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from .sampling import SamplingSettings


def refed_window(
    tokens: Sequence[int], ctx_len: int, settings: SamplingSettings
) -> tuple[list[int], SamplingSettings]:
    """The next sequence's prompt and settings, after ``tokens`` have filled the context.

    The last ``ctx_len // 2`` tokens are kept (at least 1), with seed + 1, modulo 2**32.
    """
    kept = max(ctx_len // 2, 1)
    return list(tokens[-kept:]), dataclasses.replace(settings, seed=(settings.seed + 1) % 2**32)
