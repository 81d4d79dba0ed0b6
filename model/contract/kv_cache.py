"""What the references of all versions of the contract keep of a sequence: keys and values."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..support.errors import UserError

Tap = Callable[[str, np.ndarray], None]
"""Called with the name of a stage and its integers."""


def no_tap(name: str, value: np.ndarray) -> None:
    """A Tap that sees nothing."""


class CachedSequence:
    """Base of a reference: the cache, the position, and who looks at the stages.

    Parameters
    ----------
    n_layers, ctx_len, n_heads, head_dim : int
        Of the cache; ``n_heads`` are those of keys and values.
    tap : Tap

    Attributes
    ----------
    position : int
        Tokens that were fed.
    """

    def __init__(self, n_layers: int, ctx_len: int, n_heads: int, head_dim: int, tap: Tap):
        shape = (n_layers, ctx_len, n_heads, head_dim)
        self._keys = np.zeros(shape, np.int64)
        self._values = np.zeros(shape, np.int64)
        self._ctx_len = ctx_len
        self.tap = tap
        self.position = 0

    def reset(self) -> None:
        """Forget all tokens."""
        self.position = 0

    def _end_of(self, count: int) -> int:
        """Position after ``count`` tokens more; UserError if they do not fit the context."""
        if self.position + count > self._ctx_len:
            raise UserError(f"the context of {self._ctx_len} tokens is full; start a new sequence")
        return self.position + count
