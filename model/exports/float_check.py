"""Float exports against their source: onnxruntime beside torch on random tokens.

Imports onnxruntime where it runs: programs of torch.export are compared without it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

import numpy as np
import torch
from torch import nn

from ..support.errors import ToolError

TOLERANCE = 1e-4
"""Largest difference of float logits, relative to the largest logit where that is above 1."""

KV_STEPS = 256
"""Most positions that a KV cache is checked on."""


MOST_POSITIONS = 1024
"""Of a whole sequence that is checked: attention's scores grow with their square."""


def random_windows(config) -> list[np.ndarray]:
    """int64 tokens [batch, length] of several batches and lengths, the whole context too, or as
    much of it as is checked."""
    rng, longest = np.random.default_rng(0), min(config.ctx_len, MOST_POSITIONS)
    shapes = [(2, longest), (1, 1), (3, (longest + 1) // 2)]
    return [rng.integers(config.vocab_size, size=shape) for shape in shapes]


def torch_logits(model: nn.Module, tokens: np.ndarray) -> np.ndarray:
    """What ``model`` computes, as an array."""
    with torch.inference_mode():
        return model(torch.from_numpy(tokens)).numpy()


class Difference:
    """The largest difference so far between two programs' logits."""

    def __init__(self):
        self.largest, self.scale, self.count = 0.0, 1.0, 0

    def add(self, got: np.ndarray, expected: np.ndarray, where: str) -> None:
        """Raises ToolError if they differ by more than TOLERANCE, or are not finite."""
        scale = max(1.0, float(np.abs(expected).max()))
        difference = float(np.abs(got - expected).max())
        if not difference <= TOLERANCE * scale:
            raise ToolError(
                f"the exported file differs from its source by {difference:.2g} of logits up to "
                f"{scale:.3g} on {where}, allowed is {TOLERANCE * scale:.2g}; nothing was written"
            )
        self.largest, self.scale = max(self.largest, difference), max(self.scale, scale)
        self.count += got.size // got.shape[-1]

    def __str__(self) -> str:
        return (
            f"largest difference {self.largest:.1e} of logits up to {self.scale:.3g}, "
            f"{self.count} positions"
        )


def check_full(path: str | os.PathLike, model: nn.Module) -> str:
    """Compare a full-sequence ONNX file with ``model``; one line, ToolError if they differ."""
    import onnxruntime

    from .onnx_session import session

    run, difference = session(path), Difference()
    for tokens in random_windows(model.config):
        (got,) = run.run(["logits"], {"tokens": tokens})
        difference.add(got, torch_logits(model, tokens), f"tokens of shape {tokens.shape}")
    return f"onnxruntime {onnxruntime.__version__} equals torch: {difference}"


def check_static_kv(
    path: str | os.PathLike,
    model: nn.Module,
    cache_shape: list[int],
    progress: Callable[[Iterable[int]], Iterable[int]] = iter,
) -> str:
    """Compare a static-KV ONNX file, token after token, with whole sequences of ``model``."""
    import onnxruntime

    from .onnx_session import session

    run, difference, cfg = session(path), Difference(), model.config
    length, batch = min(cfg.ctx_len, KV_STEPS), cache_shape[1]
    tokens = np.random.default_rng(0).integers(cfg.vocab_size, size=(batch, length))
    expected = torch_logits(model, tokens)
    keys, values = np.zeros(cache_shape, np.float32), np.zeros(cache_shape, np.float32)
    for position in progress(range(length)):
        feeds = {"tokens": tokens[:, position], "position": np.array(position)}
        got, keys, values = run.run(
            ["logits", "new_keys", "new_values"], {**feeds, "keys": keys, "values": values}
        )
        difference.add(got, expected[:, position], f"position {position}")
    return f"onnxruntime {onnxruntime.__version__} equals torch: {difference}"
