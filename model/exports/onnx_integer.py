"""The integer model as an ONNX graph that computes the contract of :mod:`model.contract.arith`
exactly.

All tensors hold integers in float32, and in float64 where a bound exceeds 2**24; each is named
like the reference's tap of the same value (:class:`model.contract.reference.Reference`). Shifts are
products with powers of two and Floor, tables are Gather.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..contract import arith
from ..contract.integer_model import IntegerModel, Matrix
from ..support.numbers import FLOAT32_EXACT
from .onnx_graph import ELEMENT_TYPES, OnnxGraph, causal_mask
from .onnx_quantizers import Quantizers


class IntegerGraph:
    """Writes the operators of an integer model into ``graph``.

    Parameters
    ----------
    model : IntegerModel
    graph : OnnxGraph
    quantizers : Quantizers, how weights and activations are marked
    """

    def __init__(self, model: IntegerModel, graph: OnnxGraph, quantizers: Quantizers):
        self.model, self.graph, self.quantizers = model, graph, quantizers
        self.token_embedding, self.position_embedding = (
            quantizers.weight(name, getattr(model, name), arith.ACT_MAX)
            for name in ("token_embedding", "position_embedding")
        )

    def build(self, batch: int | str, length: int | str) -> None:
        """Input ``tokens`` int64 [batch, length]; outputs ``integer_logits`` int32, exact, and
        ``logits`` float32, the same in nats, both [batch, length, vocab_size].

        A string is a dynamic dimension; a length that is none must be the context's.
        """
        graph, cfg = self.graph, self.model.config
        tokens = graph.input("tokens", np.int64, [batch, length])
        size = graph.op("Shape", tokens, start=1, end=2) if isinstance(length, str) else None
        residual = self._embed(tokens, size)
        mask = self._causal_mask(size)
        for i in range(cfg.n_layers):
            residual = self._layer(i, residual, mask)
        hidden = self._norm("final_norm", residual, "final_norm")
        exact = self._product(
            hidden,
            graph.op("Transpose", self.token_embedding, perm=[1, 0]),
            _dtype(cfg.d_model * arith.ACT_MAX**2),
        )
        graph.op("Cast", exact, out="integer_logits", to=_type_code(np.int32))
        scale = graph.constant(self.model.logit_scale)
        graph.op("Mul", self._cast(exact, np.float32), scale, out="logits")
        shape = [batch, length, cfg.vocab_size]
        graph.output("integer_logits", np.int32, shape)
        graph.output("logits", np.float32, shape)

    def _embed(self, tokens: str, size: str | None) -> str:
        graph, model = self.graph, self.model
        rows = graph.op("Gather", self.token_embedding, tokens)
        positions = self._up_to(size, self.position_embedding)
        total = graph.op(
            "Add",
            graph.op("Mul", rows, graph.constant(model.token_mult)),
            graph.op("Mul", positions, graph.constant(model.position_mult)),
        )
        return self._saturate_residual(total, "embed")

    def _layer(self, i: int, residual: str, mask: str) -> str:
        name = f"layers.{i}."
        hidden = self._norm(f"{name}attn_norm", residual, f"{name}attn_norm")
        q, k, v = (
            self._project(f"{name}{kind}_proj", hidden, arith.to_activation, f"{name}{kind}")
            for kind in "qkv"
        )
        attn = self._attend(i, q, k, v, mask)
        update = self._project(f"{name}o_proj", attn, arith.to_residual)
        total = self.graph.op("Add", residual, update)
        residual = self._saturate_residual(total, f"{name}attn_residual")
        hidden = self._norm(f"{name}ffn_norm", residual, f"{name}ffn_norm")
        hidden = self._project(f"{name}up_proj", hidden, arith.to_relu, f"{name}ffn_hidden")
        update = self._project(f"{name}down_proj", hidden, arith.to_residual)
        total = self.graph.op("Add", residual, update)
        return self._saturate_residual(total, f"{name}ffn_residual")

    def _project(self, name: str, hidden: str, kind, out: str | None = None) -> str:
        matrix: Matrix = self.model.matrices[name]
        requantizer = kind(matrix.shift)
        bound = arith.max_weight(matrix.digits)
        weight = self.quantizers.weight(f"{name}.weight", matrix.weight.T, bound)
        acc_dtype = _dtype(matrix.acc_bound)
        product_bound = matrix.acc_bound * int(matrix.mult.max()) + arith.half(matrix.shift)
        acc = self._product(hidden, weight, acc_dtype)
        factor = matrix.mult * 2.0**-matrix.shift
        dtype = _dtype(product_bound)
        factor = self.graph.initializer(f"{name}.scale", factor.astype(dtype))
        scaled = self.graph.op("Mul", self._cast(acc, dtype, acc_dtype), factor)
        return self._round(scaled, matrix.shift, dtype, requantizer.low, requantizer.high, out)

    def _norm(self, name: str, residual: str, out: str) -> str:
        """:class:`model.contract.arith.RMSNorm`."""
        graph, parameters = self.graph, self.model.norms[name]
        norm = arith.RMSNorm(self.model.config.d_model, parameters.shift)
        x = self._cast(residual, np.float64)
        axes = graph.constant([-1], np.int64)
        squares = graph.op("ReduceSum", graph.op("Mul", x, x), axes, keepdims=1)
        squares = graph.op("Max", squares, graph.constant(1, np.float64))
        exponents = np.arange(norm.max_exponent + 1)
        e = self._count_reached(squares, 4.0 ** exponents[1:])
        index = self._mantissa(squares, e, 4.0 ** (3 - exponents))
        factor = graph.op(
            "Mul",
            self._gather(norm.table.astype(np.float64), index),
            self._gather(2.0**-exponents, e),
        )
        u = graph.op("Add", graph.op("Mul", x, factor), graph.constant(0.5, np.float64))
        u = graph.op("Floor", u)
        dtype = _dtype(norm.max_normalized * arith.ACT_MAX + arith.half(norm.shift))
        gain = self.quantizers.weight(f"{name}.gain", parameters.gain, arith.ACT_MAX)
        gain = graph.op("Mul", gain, graph.constant(2.0**-norm.shift))
        scaled = graph.op(
            "Mul", self._cast(u, dtype, np.float64), self._cast(gain, dtype, np.float32)
        )
        return self._round(scaled, norm.shift, dtype, -arith.ACT_MAX, arith.ACT_MAX, out)

    def _attend(self, i: int, q: str, k: str, v: str, mask: str) -> str:
        """:class:`model.contract.arith.Softmax` around the products with keys and values."""
        graph, cfg, name = self.graph, self.model.config, f"layers.{i}."
        softmax = arith.Softmax(self.model.score_shifts[i])
        heads = graph.constant([0, 0, cfg.n_heads, cfg.head_dim], np.int64)
        q, k, v = (graph.op("Reshape", x, heads) for x in (q, k, v))
        q, v = (graph.op("Transpose", x, perm=[0, 2, 1, 3]) for x in (q, v))
        k = graph.op("Transpose", k, perm=[0, 2, 3, 1])
        dtype = _dtype(cfg.head_dim * arith.ACT_MAX**2 + arith.half(softmax.shift))
        dot = self._product(q, k, dtype)
        if softmax.shift:
            dot = graph.op("Mul", dot, graph.constant(2.0**-softmax.shift, dtype))
            dot = graph.op("Floor", graph.op("Add", dot, graph.constant(0.5, dtype)))
        scores = graph.op("Add", self._cast(dot, np.float32, dtype), mask, out=f"{name}scores")
        axes = graph.constant([-1], np.int64)
        distance = graph.op("Sub", graph.op("ReduceMax", scores, axes, keepdims=1), scores)
        distance = graph.op("Min", distance, graph.constant(arith.EXP2.max_index))
        p = self._gather(arith.EXP2.table.astype(np.float32), self._index(distance))
        largest = int(arith.EXP2.table[0])
        p = self.quantizers.floor_and_clamp(p, 0, largest, f"{name}probabilities")
        acc_bound = cfg.ctx_len * largest * arith.ACT_MAX
        acc_dtype = _dtype(acc_bound)
        acc = self._product(p, v, acc_dtype)
        total = graph.op("ReduceSum", self._cast(p, np.float64), axes, keepdims=1)
        most = (cfg.ctx_len * largest).bit_length()
        exponents = np.arange(softmax.MIN_EXPONENT, max(most, softmax.MIN_EXPONENT + 2))
        e = self._count_reached(total, 2.0 ** exponents[1:])
        lowest = 2**softmax.INDEX_BITS
        index = self._mantissa(total, e, 2.0 ** (softmax.INDEX_BITS - exponents), lowest)
        factor = graph.op(
            "Mul",
            self._gather(softmax.table.astype(np.float64), index),
            self._gather(2.0 ** -(softmax.RECIPROCAL_BITS + exponents), e),
        )
        quotient = graph.op("Mul", self._cast(acc, np.float64, acc_dtype), factor)
        attn = self._round(quotient, 1, np.float64, -arith.ACT_MAX, arith.ACT_MAX)
        attn = graph.op("Transpose", attn, perm=[0, 2, 1, 3])
        merged = graph.constant([0, 0, cfg.d_model], np.int64)
        return graph.op("Reshape", attn, merged, out=f"{name}attn")

    def _round(self, scaled: str, shift: int, dtype, low: int, high: int, out=None) -> str:
        """``clamp(round_shift(value), low, high)`` of ``scaled`` = value * 2**-shift; float32."""
        graph = self.graph
        if shift:
            scaled = graph.op("Add", scaled, graph.constant(0.5, dtype))
        if dtype is np.float64:
            limits = (graph.constant(limit, dtype) for limit in (low, high))
            clipped = graph.op("Clip", graph.op("Floor", scaled), *limits)
            scaled = self._cast(clipped, np.float32, dtype)
        return self.quantizers.floor_and_clamp(scaled, low, high, out)

    def _saturate_residual(self, total: str, out: str) -> str:
        limit = arith.RESIDUAL_MAX
        return self.quantizers.floor_and_clamp(total, -limit, limit, out)

    def _causal_mask(self, size: str | None) -> str:
        """float32 [length, length]: -inf where the key is later than the query.

        The distance to such a score is infinite, counts as the largest index of the base-2
        exponential, and its probability there is 0.
        """
        graph, ctx_len = self.graph, self.model.config.ctx_len
        if size is None:
            return graph.constant(np.triu(np.full((ctx_len, ctx_len), -np.inf), 1))
        positions = graph.constant(np.arange(ctx_len), np.int64)
        return causal_mask(graph, self._up_to(size, positions))

    def _up_to(self, size: str | None, table: str) -> str:
        """The first rows of a table with one per position of the context; all if it is static."""
        if size is None:
            return table
        return self.graph.op("Slice", table, self.graph.constant([0], np.int64), size)

    def _product(self, a: str, b: str, dtype) -> str:
        """MatMul of float32 tensors, in ``dtype``."""
        return self.graph.op("MatMul", self._cast(a, dtype), self._cast(b, dtype))

    def _cast(self, x: str, dtype, given=np.float32) -> str:
        return x if dtype is given else self.graph.op("Cast", x, to=_type_code(dtype))

    def _count_reached(self, value: str, thresholds: Sequence[float]) -> str:
        """int64 [..., 1]: how many ``thresholds`` float64 ``value`` [..., 1] has reached."""
        graph = self.graph
        reached = graph.op("GreaterOrEqual", value, graph.constant(thresholds, np.float64))
        ones = graph.op("Cast", reached, to=_type_code(np.int64))
        return graph.op("ReduceSum", ones, graph.constant([-1], np.int64), keepdims=1)

    def _mantissa(self, value: str, e: str, scales: Sequence[float], lowest: int = 0) -> str:
        """``floor(value * scales[e]) - lowest``, an index."""
        scaled = self.graph.op("Mul", value, self._gather(np.asarray(scales), e))
        scaled = self.graph.op("Floor", scaled)
        if lowest:
            scaled = self.graph.op("Sub", scaled, self.graph.constant(lowest, np.float64))
        return self._index(scaled)

    def _gather(self, table: np.ndarray, index: str) -> str:
        return self.graph.op("Gather", self.graph.constant(table, table.dtype), index)

    def _index(self, x: str) -> str:
        return self.graph.op("Cast", x, to=_type_code(np.int32))


def _dtype(bound: int):
    return np.float32 if bound <= FLOAT32_EXACT else np.float64


def _type_code(dtype) -> int:
    return ELEMENT_TYPES[np.dtype(dtype)]
