"""Float models as ONNX: the whole sequence, or one token with a static KV cache.

Both graphs are written from the torch modules :class:`model.floating.torch_model.FloatModel`,
:class:`model.floating.gpt2.GPT2` and :class:`model.floating.torch_decoder.TorchDecoder`. Queries,
keys and values come from one product, and 1/√head_dim is in the query's weights.
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
from .onnx_attention import rotated, split_qkv
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

    Batch and length are dynamic, length up to the model's context. ``model`` is a FloatModel, a
    GPT2 or a TorchDecoder. Raises UserError if the opset is too old or the weights exceed an ONNX
    file.
    """
    layers = FloatLayers(model, OnnxGraph(opset))
    write_full(layers, "batch", "length")
    return layers.graph.to_model("full_sequence", metadata or {})


def write_full(layers: FloatLayers, batch: int | str, length: int | str) -> None:
    """The operators of :func:`full_graph`; a string is a dynamic dimension, and a length that is
    none must be the context's."""
    model, graph, cfg = layers.model, layers.graph, layers.model.config
    tokens = graph.input("tokens", np.int64, [batch, length])
    size = graph.op("Shape", tokens, start=1, end=2) if isinstance(length, str) else None

    def up_to_length(table):
        if size is None:
            return table
        return graph.op("Slice", table, graph.constant([0], np.int64), size)

    residual = graph.op("Gather", layers.token_embedding, tokens)
    rotary = layers.position_embedding is None
    if rotary:
        turns = [up_to_length(graph.constant(table.numpy())) for table in (model.cos, model.sin)]
    else:
        residual = graph.op("Add", residual, up_to_length(layers.position_embedding))
    positions = up_to_length(graph.constant(np.arange(cfg.ctx_len), np.int64))
    mask = causal_mask(graph, positions)
    heads, share = cfg.n_heads + 2 * cfg.n_kv_heads, cfg.n_heads // cfg.n_kv_heads
    for i, layer in enumerate(model.layers):
        hidden = layers.norm(f"layers.{i}.attn_norm", layer.attn_norm, residual)
        qkv = layers.qkv(i, layer, hidden)
        by_head = layers.reshape(qkv, [0, 0, heads, cfg.head_dim])
        by_head = graph.op("Transpose", by_head, perm=[0, 2, 1, 3])
        q, k, v = split_qkv(graph, by_head, cfg, axis=1)
        if rotary:
            q, k = (rotated(graph, x, *turns) for x in (q, k))
        transposed = graph.op("Transpose", k, perm=[0, 1, 3, 2])
        if share > 1:  # each head of keys and values beside the queries that share it
            q = layers.reshape(q, [0, cfg.n_kv_heads, share, -1, cfg.head_dim])
            axis = graph.constant([2], np.int64)
            transposed, v = (graph.op("Unsqueeze", x, axis) for x in (transposed, v))
        scores = graph.op("MatMul", q, transposed)
        p = graph.op("Softmax", graph.op("Add", scores, mask), axis=-1)
        attn = graph.op("MatMul", p, v)
        if share > 1:
            attn = layers.reshape(attn, [0, cfg.n_heads, -1, cfg.head_dim])
        attn = graph.op("Transpose", attn, perm=[0, 2, 1, 3])
        attn = layers.reshape(attn, [0, 0, cfg.n_heads * cfg.head_dim])
        residual = layers.after_attention(i, layer, attn, residual)
    layers.head(residual)
    graph.output("logits", np.float32, [batch, length, cfg.vocab_size])


def static_kv_graph(
    model: nn.Module,
    *,
    batch: int = 1,
    opset: int = DEFAULT_OPSET,
    metadata: Mapping[str, str] | None = None,
) -> onnx.ModelProto:
    """One token per sequence and call, with a KV cache of fixed shape.

    Inputs: ``tokens`` int64 [batch]; ``position`` int64, a scalar, 0 to ctx_len - 1, that of these
    tokens; ``keys`` and ``values`` float32 [n_layers, batch, n_kv_heads, ctx_len, head_dim], finite
    (zeros at first; keys are turned where positions are rotary). Outputs: ``logits`` float32
    [batch, vocab_size], ``new_keys`` and ``new_values``, the caches with this position written.
    Later positions are not looked at. The outputs' buffers may be the inputs': the caches are then
    updated in place.
    """
    cfg = model.config
    layers = FloatLayers(model, OnnxGraph(opset))
    graph = layers.graph
    cache_shape = cache_shape_of(model, batch)
    tokens = graph.input("tokens", np.int64, [batch])
    position = graph.input("position", np.int64, [])
    keys, values = (graph.input(name, np.float32, cache_shape) for name in ("keys", "values"))
    residual = graph.op("Gather", layers.token_embedding, tokens)
    rotary = layers.position_embedding is None
    if rotary:
        tables = (graph.constant(table.numpy()) for table in (model.cos, model.sin))
        turns = [graph.op("Gather", table, position) for table in tables]
    else:
        here = graph.op("Gather", layers.position_embedding, position)
        residual = graph.op("Add", residual, here)
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
        q, k, v = _one_token(layers, layers.qkv(i, layer, hidden), batch)
        if rotary:
            q, k = (rotated(graph, x, *turns) for x in (q, k))
        all_k = graph.op("ScatterND", keys_of[i], here, k)
        all_v = graph.op("ScatterND", values_of[i], here, v)
        key_rows.append(k)
        value_rows.append(v)
        attn = _attend(layers, q, all_k, all_v, mask, batch)
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


def _one_token(layers: FloatLayers, qkv: str, batch: int) -> list[str]:
    """q, k, v [batch, 1, heads, head_dim] of one position."""
    cfg = layers.model.config
    if cfg.n_kv_heads == cfg.n_heads:
        qkv = layers.reshape(qkv, [batch, 3, cfg.n_heads, cfg.head_dim])
        return split_qkv(layers.graph, qkv, cfg, axis=1)
    qkv = layers.reshape(qkv, [batch, 1, cfg.n_heads + 2 * cfg.n_kv_heads, cfg.head_dim])
    return split_qkv(layers.graph, qkv, cfg, axis=2)


def _attend(layers: FloatLayers, q: str, k: str, v: str, mask: str, batch: int) -> str:
    """[batch, n_heads * head_dim] of q [batch, 1, n_heads, head_dim] and a layer's caches."""
    graph, cfg = layers.graph, layers.model.config
    share = cfg.n_heads // cfg.n_kv_heads
    # Keys times columns of queries: no transposed copy of the cache.
    if share == 1:
        columns = layers.reshape(q, [batch, cfg.n_heads, cfg.head_dim, 1])
    else:
        columns = layers.reshape(q, [batch, cfg.n_kv_heads, share, cfg.head_dim])
        columns = graph.op("Transpose", columns, perm=[0, 1, 3, 2])
    scores = graph.op("Add", graph.op("MatMul", k, columns), mask)
    if share == 1:
        scores = layers.reshape(scores, [1, batch, cfg.n_heads, 1, cfg.ctx_len])
    else:
        scores = graph.op("Transpose", scores, perm=[0, 1, 2, 4, 3])
    p = graph.op("Softmax", scores, axis=-1)
    return layers.reshape(graph.op("MatMul", p, v), [batch, cfg.n_heads * cfg.head_dim])


def _row_indices(graph: OnnxGraph, position: str, n_layers: int, cache_shape: list[int]) -> str:
    """int64 [batch, n_layers, n_kv_heads, 4]: layer, sequence, head, position of every new row."""
    _, batch, n_heads, *_ = cache_shape
    rows = np.moveaxis(np.indices((n_layers, batch, n_heads)), 0, -1).swapaxes(0, 1)
    positions = graph.op("Expand", position, graph.constant([*rows.shape[:3], 1], np.int64))
    return graph.op("Concat", graph.constant(rows, np.int64), positions, axis=-1)


def cache_shape_of(model: nn.Module, batch: int) -> list[int]:
    """[n_layers, batch, n_kv_heads, ctx_len, head_dim] of the keys, and of the values."""
    cfg = model.config
    return [cfg.n_layers, batch, cfg.n_kv_heads, cfg.ctx_len, cfg.head_dim]


def cache_bytes(model: nn.Module, batch: int) -> int:
    """Bytes of keys and values, as inputs and as outputs of a call."""
    return 2 * 2 * np.dtype(np.float32).itemsize * math.prod(cache_shape_of(model, batch))
