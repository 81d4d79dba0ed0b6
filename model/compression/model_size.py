"""Bytes that a model's weights take, by how they are stored."""

from __future__ import annotations

import math

from torch import Tensor

from ..contract.integer_model import IntegerModel
from ..contract.trit_codec import TRITS_PER_BYTE

FLOAT_BYTES = 4


def float_bytes(state: dict[str, Tensor]) -> int:
    """All parameters as float32."""
    return FLOAT_BYTES * sum(tensor.numel() for tensor in state.values())


def quantized_bytes(
    state: dict[str, Tensor], bits: dict[str, int], steps: dict[str, int], n_activations: int
) -> int:
    """Weights of ``bits`` bits (by name) with ``steps`` float32 steps each, the rest as float32.

    Every quantized activation has one float32 step.
    """
    total = FLOAT_BYTES * n_activations
    for name, tensor in state.items():
        if name in bits:
            total += math.ceil(tensor.numel() * bits[name] / 8) + FLOAT_BYTES * steps[name]
        else:
            total += FLOAT_BYTES * tensor.numel()
    return total


def sparse_bytes(state: dict[str, Tensor], pruned: list[str]) -> int:
    """float32; of the ``pruned`` weights one bit each and the values that are not zero."""
    total = 0
    for name, tensor in state.items():
        if name in pruned:
            total += math.ceil(tensor.numel() / 8) + FLOAT_BYTES * int((tensor != 0).sum())
        else:
            total += FLOAT_BYTES * tensor.numel()
    return total


def integer_bytes(model: IntegerModel) -> int:
    """Trits 5 to a byte; embeddings, multipliers and gains one byte each."""
    trits = sum(
        matrix.digits * math.ceil(matrix.weight.size / TRITS_PER_BYTE)
        for matrix in model.matrices.values()
    )
    others = (array.size for name, array in model.tensors().items() if not name.endswith(".weight"))
    return trits + sum(others)
