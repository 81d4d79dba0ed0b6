"""Memory that a training step takes."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn


def kept_bytes(model: nn.Module, loss: Callable[[Tensor, Tensor], Tensor], windows: Tensor) -> int:
    """Bytes that ``loss`` of ``windows`` keeps for the backward, without the model's parameters.

    ``windows`` are int64 [windows, ctx_len + 1]; the bytes are proportional to their number.
    """
    kept = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        value = loss(windows[:, :-1], windows[:, 1:])
    for parameter in model.parameters():
        kept.pop(parameter.untyped_storage().data_ptr(), None)
    del value  # until here, what it keeps has addresses of its own
    return sum(kept.values())
