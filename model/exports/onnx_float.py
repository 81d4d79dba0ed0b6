"""Float models as ONNX: the whole sequence, or one token with a static KV cache.

Both graphs are written from the torch modules :class:`model.floating.torch_model.FloatModel` and
:class:`model.floating.gpt2.GPT2`. Queries, keys and values come from one product, and 1/√head_dim
is in the query's weights.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Mapping

import numpy as np
import onnx
from torch import nn

from .file import write_onnx
from .float_check import check_full, check_static_kv
from .onnx_graph import DEFAULT_OPSET, OnnxGraph, causal_mask
from .onnx_layers import FloatLayers


def export_full(
    model: nn.Module,
    path: str | os.PathLike,
    *,
    opset: int = DEFAULT_OPSET,
    metadata: Mapping[str, str] | None = None,
    check: bool = True,
) -> str:
    """Write :func:`full_graph`, compare it with ``model`` (unless told not to); the result's line.

    Raises UserError for what cannot be exported or written, ToolError if the file differs; no file
    is left then.
    """
    graph = full_graph(model, opset=opset, metadata=metadata)
    return write_onnx(graph, path, (lambda file: check_full(file, model)) if check else None)


def export_static_kv(
    model: nn.Module,
    path: str | os.PathLike,
    *,
    batch: int = 1,
    opset: int = DEFAULT_OPSET,
    metadata: Mapping[str, str] | None = None,
    check: bool = True,
    progress: Callable[[Iterable[int]], Iterable[int]] = iter,
) -> str:
    """The same for :func:`static_kv_graph`; ``progress`` wraps the positions of the check."""
    graph = static_kv_graph(model, batch=batch, opset=opset, metadata=metadata)
    shape = cache_shape_of(model, batch)

    def compare(file):
        return check_static_kv(file, model, shape, progress)

    return write_onnx(graph, path, compare if check else None)


def full_graph(
    model: nn.Module, *, opset: int = DEFAULT_OPSET, metadata: Mapping[str, str] | None = None
) -> onnx.ModelProto:
    """``logits`` float32 [batch, length, vocab_size] of ``tokens`` int64 [batch, length].

    Batch and length are dynamic, length up to the model's context. ``model`` is a FloatModel or
    a GPT2. Raises UserError if the opset is too old or the weights exceed an ONNX file.
    """
    cfg = model.config
    layers = FloatLayers(model, OnnxGraph(opset))
    graph = layers.graph
    tokens = graph.input("tokens", np.int64, ["batch", "length"])
    length = graph.op("Shape", tokens, start=1, end=2)

    def up_to_length(table):
        return graph.op("Slice", table, graph.constant([0], np.int64), length)

    rows = graph.op("Gather", layers.token_embedding, tokens)
    residual = graph.op("Add", rows, up_to_length(layers.position_embedding))
    positions = up_to_length(graph.constant(np.arange(cfg.ctx_len), np.int64))
    mask = causal_mask(graph, positions)
    for i, layer in enumerate(model.layers):
        hidden = layers.norm(f"layers.{i}.attn_norm", layer.attn_norm, residual)
        qkv = layers.qkv(i, layer, hidden)
        by_head = layers.reshape(qkv, [0, 0, 3 * cfg.n_heads, cfg.head_dim])
        by_head = graph.op("Transpose", by_head, perm=[0, 2, 1, 3])
        q, k, v = graph.ops("Split", by_head, outs=[None] * 3, axis=1, num_outputs=3)
        scores = graph.op("MatMul", q, graph.op("Transpose", k, perm=[0, 1, 3, 2]))
        p = graph.op("Softmax", graph.op("Add", scores, mask), axis=-1)
        attn = graph.op("Transpose", graph.op("MatMul", p, v), perm=[0, 2, 1, 3])
        residual = layers.after_attention(
            i, layer, layers.reshape(attn, [0, 0, cfg.n_heads * cfg.head_dim]), residual
        )
    layers.head(residual)
    graph.output("logits", np.float32, ["batch", "length", cfg.vocab_size])
    return graph.to_model("full_sequence", metadata or {})


def static_kv_graph(
    model: nn.Module,
    *,
    batch: int = 1,
    opset: int = DEFAULT_OPSET,
    metadata: Mapping[str, str] | None = None,
) -> onnx.ModelProto:
    """One token per sequence and call, with a KV cache of fixed shape.

    Inputs: ``tokens`` int64 [batch]; ``position`` int64, a scalar, 0 to ctx_len - 1, that of these
    tokens; ``keys`` and ``values`` float32 [n_layers, batch, n_heads, ctx_len, head_dim], finite
    (zeros at first). Outputs: ``logits`` float32 [batch, vocab_size], ``new_keys`` and
    ``new_values``, the caches with this position written. Later positions are not looked at.
    The outputs' buffers may be the inputs': the caches are then updated in place.
    """
    cfg = model.config
    layers = FloatLayers(model, OnnxGraph(opset))
    graph = layers.graph
    cache_shape = cache_shape_of(model, batch)
    tokens = graph.input("tokens", np.int64, [batch])
    position = graph.input("position", np.int64, [])
    keys, values = (graph.input(name, np.float32, cache_shape) for name in ("keys", "values"))
    rows = graph.op("Gather", layers.token_embedding, tokens)
    residual = graph.op("Add", rows, graph.op("Gather", layers.position_embedding, position))
    slots = graph.constant(np.arange(cfg.ctx_len).reshape(-1, 1), np.int64)
    later = graph.op("Greater", slots, position)
    mask = graph.op("Where", later, graph.constant(-np.inf), graph.constant(0))
    here = _row_indices(graph, position, 1, cache_shape)
    key_rows, value_rows = [], []
    outs = [None] * cfg.n_layers
    keys_of = graph.ops("Split", keys, outs=outs, num_outputs=len(outs))
    values_of = graph.ops("Split", values, outs=outs, num_outputs=len(outs))
    for i, layer in enumerate(model.layers):
        hidden = layers.norm(f"layers.{i}.attn_norm", layer.attn_norm, residual)
        qkv = layers.reshape(layers.qkv(i, layer, hidden), [batch, 3, cfg.n_heads, cfg.head_dim])
        q, k, v = graph.ops("Split", qkv, outs=[None] * 3, axis=1, num_outputs=3)
        all_k = graph.op("ScatterND", keys_of[i], here, k)
        all_v = graph.op("ScatterND", values_of[i], here, v)
        key_rows.append(k)
        value_rows.append(v)
        # Keys times a column of queries: no transposed copy of the cache.
        column = layers.reshape(q, [batch, cfg.n_heads, cfg.head_dim, 1])
        scores = graph.op("Add", graph.op("MatMul", all_k, column), mask)
        scores = layers.reshape(scores, [1, batch, cfg.n_heads, 1, cfg.ctx_len])
        p = graph.op("Softmax", scores, axis=-1)
        attn = layers.reshape(graph.op("MatMul", p, all_v), [batch, cfg.n_heads * cfg.head_dim])
        residual = layers.after_attention(i, layer, attn, residual)
    layers.head(residual)
    # One update of all layers at the end: in place if the buffers are shared.
    here = _row_indices(graph, position, cfg.n_layers, cache_shape)
    for cache, rows in ((keys, key_rows), (values, value_rows)):
        graph.op("ScatterND", cache, here, graph.op("Concat", *rows, axis=1), out=f"new_{cache}")
    graph.output("logits", np.float32, [batch, cfg.vocab_size])
    for name in ("new_keys", "new_values"):
        graph.output(name, np.float32, cache_shape)
    return graph.to_model("static_kv_step", metadata or {})


def _row_indices(graph: OnnxGraph, position: str, n_layers: int, cache_shape: list[int]) -> str:
    """int64 [batch, n_layers, n_heads, 4]: layer, sequence, head and position of every new row."""
    _, batch, n_heads, *_ = cache_shape
    rows = np.moveaxis(np.indices((n_layers, batch, n_heads)), 0, -1).swapaxes(0, 1)
    positions = graph.op("Expand", position, graph.constant([*rows.shape[:3], 1], np.int64))
    return graph.op("Concat", graph.constant(rows, np.int64), positions, axis=-1)


def cache_shape_of(model: nn.Module, batch: int) -> list[int]:
    """[n_layers, batch, n_heads, ctx_len, head_dim] of the keys, and of the values."""
    cfg = model.config
    return [cfg.n_layers, batch, cfg.n_heads, cfg.ctx_len, cfg.head_dim]


def cache_bytes(model: nn.Module, batch: int) -> int:
    """Bytes of keys and values, as inputs and as outputs of a call."""
    return 2 * 2 * np.dtype(np.float32).itemsize * math.prod(cache_shape_of(model, batch))
