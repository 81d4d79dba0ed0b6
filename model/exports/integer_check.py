"""Exports of the integer model against ``windows.window_logits``: integer for integer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from ..contract.integer_model import IntegerModel
from ..contract.windows import window_logits
from ..support.errors import ToolError


def check_weights(model: IntegerModel, stored: Mapping[str, np.ndarray]) -> int:
    """Compare every weight, embedding and gain with what a file holds; how many numbers.

    Matrices are stored [in, out]. Raises ToolError naming the tensor that differs.
    """
    count = 0
    for name, expected in model.tensors().items():
        if name.endswith(".mult"):
            continue
        got = stored.get(name)
        if name.endswith(".weight") and got is not None:
            got = got.T
        if got is None or not np.array_equal(got, expected):
            raise ToolError(f"tensor {name} of the exported file differs; nothing was written")
        count += expected.size
    return count


def check_logits(
    model: IntegerModel,
    run: Callable[[np.ndarray], np.ndarray],
    shapes: Sequence[tuple[int, int]],
) -> int:
    """Compare ``run(tokens)``, integer logits, on random windows of ``shapes``; how many positions.

    Raises ToolError naming the first position that differs.
    """
    rng = np.random.default_rng(0)
    for shape in shapes:
        tokens = rng.integers(model.config.vocab_size, size=shape)
        got, expected = run(tokens), window_logits(model, tokens)
        if not np.array_equal(got, expected):
            place = np.argwhere(got != expected)[0]
            raise ToolError(
                f"the exported file computes logit {got[tuple(place)]} instead of "
                f"{expected[tuple(place)]} at position {place[1]}; nothing was written"
            )
    return sum(batch * length for batch, length in shapes)
