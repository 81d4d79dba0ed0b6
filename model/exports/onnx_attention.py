"""Heads in a float model's ONNX graph: rotary positions, and keys and values that heads share."""

from __future__ import annotations

import numpy as np

from .onnx_graph import OnnxGraph


def split_qkv(graph: OnnxGraph, qkv: str, config, axis: int) -> list[str]:
    """Queries, keys and values, whose heads follow each other on ``axis``."""
    if config.n_kv_heads == config.n_heads:
        return graph.ops("Split", qkv, outs=[None] * 3, axis=axis, num_outputs=3)
    sizes = graph.constant([config.n_heads, config.n_kv_heads, config.n_kv_heads], np.int64)
    return graph.ops("Split", qkv, sizes, outs=[None] * 3, axis=axis)


def rotated(graph: OnnxGraph, x: str, cos: str, sin: str) -> str:
    """RoPE of heads x [..., head_dim] by ``cos`` and ``sin`` […, head_dim / 2] of their positions:
    pairs (j, j + head_dim / 2) are turned."""
    first, second = graph.ops("Split", x, outs=[None] * 2, axis=-1, num_outputs=2)

    def product(a: str, b: str) -> str:
        return graph.op("Mul", a, b)

    return graph.op(
        "Concat",
        graph.op("Sub", product(first, cos), product(second, sin)),
        graph.op("Add", product(second, cos), product(first, sin)),
        axis=-1,
    )
