"""Float models as ONNX: the whole sequence, or one token with a static KV cache.

Both graphs are written from the torch modules :class:`model.torch_model.FloatModel` and
:class:`model.gpt2.GPT2`. Queries, keys and values come from one product, and 1/√head_dim is in
the query's weights.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Mapping

import numpy as np
import onnx
from torch import Tensor, nn

from .export_check import check_full, check_static_kv
from .export_file import write_onnx
from .float_model import NORM_EPS
from .onnx_graph import DEFAULT_OPSET, OnnxGraph


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
    writer = _Writer(model, OnnxGraph(opset))
    graph = writer.graph
    tokens = graph.input("tokens", np.int64, ["batch", "length"])
    length = graph.op("Shape", tokens, start=1, end=2)

    def up_to_length(table):
        return graph.op("Slice", table, graph.constant([0], np.int64), length)

    rows = graph.op("Gather", writer.token_embedding, tokens)
    residual = graph.op("Add", rows, up_to_length(writer.position_embedding))
    mask = causal_mask(graph, up_to_length(graph.constant(np.arange(cfg.ctx_len), np.int64)))
    for i, layer in enumerate(model.layers):
        hidden = writer.norm(f"layers.{i}.attn_norm", layer.attn_norm, residual)
        qkv = writer.qkv(i, layer, hidden)
        by_head = writer.reshape(qkv, [0, 0, 3 * cfg.n_heads, cfg.head_dim])
        by_head = graph.op("Transpose", by_head, perm=[0, 2, 1, 3])
        q, k, v = graph.ops("Split", by_head, outs=[None] * 3, axis=1, num_outputs=3)
        scores = graph.op("MatMul", q, graph.op("Transpose", k, perm=[0, 1, 3, 2]))
        p = graph.op("Softmax", graph.op("Add", scores, mask), axis=-1)
        attn = graph.op("Transpose", graph.op("MatMul", p, v), perm=[0, 2, 1, 3])
        residual = writer.after_attention(
            i, layer, writer.reshape(attn, [0, 0, cfg.n_heads * cfg.head_dim]), residual
        )
    writer.head(residual)
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
    Output buffers may be the input buffers.
    """
    cfg = model.config
    writer = _Writer(model, OnnxGraph(opset))
    graph = writer.graph
    cache_shape = cache_shape_of(model, batch)
    tokens = graph.input("tokens", np.int64, [batch])
    position = graph.input("position", np.int64, [])
    keys, values = (graph.input(name, np.float32, cache_shape) for name in ("keys", "values"))
    rows = graph.op("Gather", writer.token_embedding, tokens)
    residual = graph.op("Add", rows, graph.op("Gather", writer.position_embedding, position))
    slots = graph.constant(np.arange(cfg.ctx_len).reshape(-1, 1), np.int64)
    later = graph.op("Greater", slots, position)
    mask = graph.op("Where", later, graph.constant(-np.inf), graph.constant(0))
    # [batch, 1, n_heads, 4]: layer (of one), sequence, head and position of every new row.
    rows_of = np.moveaxis(np.indices((1, batch, cfg.n_heads)), 0, -1).swapaxes(0, 1)
    here = graph.op("Expand", position, graph.constant([*rows_of.shape[:3], 1], np.int64))
    here = graph.op("Concat", graph.constant(rows_of, np.int64), here, axis=-1)
    new_keys, new_values = [], []
    outs = [None] * cfg.n_layers
    keys_of = graph.ops("Split", keys, outs=outs, num_outputs=len(outs))
    values_of = graph.ops("Split", values, outs=outs, num_outputs=len(outs))
    for i, layer in enumerate(model.layers):
        hidden = writer.norm(f"layers.{i}.attn_norm", layer.attn_norm, residual)
        qkv = writer.reshape(writer.qkv(i, layer, hidden), [batch, 3, cfg.n_heads, cfg.head_dim])
        q, k, v = graph.ops("Split", qkv, outs=[None] * 3, axis=1, num_outputs=3)
        all_k = graph.op("ScatterND", keys_of[i], here, k)
        all_v = graph.op("ScatterND", values_of[i], here, v)
        new_keys.append(all_k)
        new_values.append(all_v)
        # Keys times a column of queries: no transposed copy of the cache.
        column = writer.reshape(q, [batch, cfg.n_heads, cfg.head_dim, 1])
        scores = graph.op("Add", graph.op("MatMul", all_k, column), mask)
        scores = writer.reshape(scores, [1, batch, cfg.n_heads, 1, cfg.ctx_len])
        p = graph.op("Softmax", scores, axis=-1)
        attn = writer.reshape(graph.op("MatMul", p, all_v), [batch, cfg.n_heads * cfg.head_dim])
        residual = writer.after_attention(i, layer, attn, residual)
    writer.head(residual)
    graph.op("Concat", *new_keys, out="new_keys", axis=0)
    graph.op("Concat", *new_values, out="new_values", axis=0)
    graph.output("logits", np.float32, [batch, cfg.vocab_size])
    for name in ("new_keys", "new_values"):
        graph.output(name, np.float32, cache_shape)
    return graph.to_model("static_kv_step", metadata or {})


def cache_shape_of(model: nn.Module, batch: int) -> list[int]:
    """[n_layers, batch, n_heads, ctx_len, head_dim] of the keys, and of the values."""
    cfg = model.config
    return [cfg.n_layers, batch, cfg.n_heads, cfg.ctx_len, cfg.head_dim]


def cache_bytes(model: nn.Module, batch: int) -> int:
    """Bytes of keys and values, as inputs and as outputs of a call."""
    return 2 * 2 * np.dtype(np.float32).itemsize * math.prod(cache_shape_of(model, batch))


def causal_mask(graph: OnnxGraph, positions: str) -> str:
    """float32 [length, length] of int64 ``positions`` [length]: -inf where a key is later."""
    queries = graph.op("Unsqueeze", positions, graph.constant([1], np.int64))
    return graph.op(
        "Where",
        graph.op("Greater", positions, queries),
        graph.constant(-np.inf),
        graph.constant(0),
    )


class _Writer:
    """What both graphs share: the parts that work on every position for itself."""

    def __init__(self, model: nn.Module, graph: OnnxGraph):
        self.model, self.graph = model, graph
        for name in ("token_embedding", "position_embedding"):
            setattr(self, name, graph.initializer(name, _array(getattr(model, name))))

    def reshape(self, x: str, shape: list[int], out: str | None = None) -> str:
        return self.graph.op("Reshape", x, self.graph.constant(shape, np.int64), out=out)

    def norm(self, name: str, norm: nn.Module, x: str) -> str:
        graph = self.graph
        if isinstance(norm, nn.LayerNorm):
            weight, bias = (
                graph.initializer(f"{name}.{kind}", _array(getattr(norm, kind)))
                for kind in ("weight", "bias")
            )
            return graph.op("LayerNormalization", x, weight, bias, epsilon=norm.eps)
        square = graph.op("Pow", x, graph.constant(2))
        mean = graph.op("ReduceMean", square, graph.constant([-1], np.int64))
        rms = graph.op("Sqrt", graph.op("Add", mean, graph.constant(NORM_EPS)))
        gain = graph.initializer(f"{name}.gain", _array(norm.gain))
        return graph.op("Mul", graph.op("Div", x, rms), gain)

    def qkv(self, i: int, layer: nn.Module, hidden: str) -> str:
        scale = self.model.config.head_dim**-0.5
        projections = (layer.q_proj, layer.k_proj, layer.v_proj)
        factors = (scale, 1, 1)
        weight = np.concatenate(
            [_array(p.weight) * np.float32(f) for p, f in zip(projections, factors, strict=True)]
        )
        bias = None
        if layer.q_proj.bias is not None:
            bias = np.concatenate(
                [_array(p.bias) * np.float32(f) for p, f in zip(projections, factors, strict=True)]
            )
        return self._affine(f"layers.{i}.qkv_proj", weight, bias, hidden)

    def linear(self, name: str, module: nn.Linear, x: str) -> str:
        bias = None if module.bias is None else _array(module.bias)
        return self._affine(name, _array(module.weight), bias, x)

    def _affine(self, name: str, weight: np.ndarray, bias: np.ndarray | None, x: str) -> str:
        product = self.graph.op("MatMul", x, self.graph.initializer(f"{name}.weight", weight.T))
        if bias is None:
            return product
        return self.graph.op("Add", product, self.graph.initializer(f"{name}.bias", bias))

    def after_attention(self, i: int, layer: nn.Module, attn: str, residual: str) -> str:
        """The rest of a layer."""
        graph, name = self.graph, f"layers.{i}."
        residual = graph.op("Add", residual, self.linear(f"{name}o_proj", layer.o_proj, attn))
        hidden = self.norm(f"{name}ffn_norm", layer.ffn_norm, residual)
        hidden = self.linear(f"{name}up_proj", layer.up_proj, hidden)
        match getattr(layer, "activation", "relu"):
            case "relu":
                hidden = graph.op("Relu", hidden)
            case "gelu":
                hidden = graph.op("Gelu", hidden)
            case "gelu_tanh":
                hidden = graph.op("Gelu", hidden, approximate="tanh")
        return graph.op("Add", residual, self.linear(f"{name}down_proj", layer.down_proj, hidden))

    def head(self, residual: str) -> str:
        hidden = self.norm("final_norm", self.model.final_norm, residual)
        transposed = self.graph.op("Transpose", self.token_embedding, perm=[1, 0])
        return self.graph.op("MatMul", hidden, transposed, out="logits")


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.detach().numpy().astype(np.float32)
