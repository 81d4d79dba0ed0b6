"""Decoders of contract version 2 with their own integers as weights, in QDQ and QONNX.

The formats carry weights and their scales, not the contract's static scales, shifts and limits of
activations: these are floats. What computes like the integers is :mod:`model.contract.decoder`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

import numpy as np
import onnx
from torch import nn

from ..contract.decoder.formats import WeightFormat
from ..floating.dequantized import Dequantized
from ..floating.torch_decoder import TorchDecoder
from .decoder_weights import DecoderWeights, QDQWeights, QONNXWeights
from .file import write_onnx
from .float_check import Difference, check_full, torch_logits
from .onnx_float import write_full
from .onnx_graph import BLOCKS_OPSET, DEFAULT_OPSET, OnnxGraph
from .onnx_layers import FloatLayers
from .onnx_quantizers import QONNX_DOMAIN, QONNX_VERSION
from .qonnx import with_shapes


class QuantizedLayers(FloatLayers):
    """The same as FloatLayers, with matrices made of an artifact's integers."""

    def __init__(
        self, model: TorchDecoder, graph: OnnxGraph, made: Dequantized, weights: DecoderWeights
    ):
        self.made, self.weights = made, weights
        super().__init__(model, graph)

    def embedding(self, name: str, array: np.ndarray) -> str:
        return self._floats(name, transposed=False)

    def weight(self, name: str, array: np.ndarray) -> str:
        return self._floats(name, transposed=True)

    def qkv(self, i: int, layer: nn.Module, hidden: str) -> str:
        """Three products: each matrix has a format of its own."""
        graph, scale = self.graph, self.graph.constant(self.query_scale)
        q, k, v = (
            self.linear(f"layers.{i}.{kind}", getattr(layer, kind), hidden)
            for kind in ("q_proj", "k_proj", "v_proj")
        )
        return graph.op("Concat", graph.op("Mul", q, scale), k, v, axis=-1)

    def _floats(self, name: str, transposed: bool) -> str:
        matrix, factor = self.made.model.matrices[name], self.made.factors[name]
        return self.weights.floats(name, matrix, factor, transposed)


def qdq_graph(
    made: Dequantized,
    model: TorchDecoder,
    *,
    opset: int | None = None,
    metadata: Mapping[str, str] | None = None,
) -> onnx.ModelProto:
    """``logits`` float32 [batch, length, vocab_size] of ``tokens`` int64 [batch, length]; batch and
    length are dynamic.

    ``opset``: 21 by default where 4-bit codes or groups need it, else 20. Raises UserError if it is
    too old.
    """
    graph = OnnxGraph(least_opset(made) if opset is None else opset)
    layers = QuantizedLayers(model, graph, made, QDQWeights(graph))
    write_full(layers, "batch", "length")
    return graph.to_model("decoder", metadata or {})


def qonnx_decoder_graph(
    made: Dequantized,
    model: TorchDecoder,
    *,
    batch: int = 1,
    opset: int = DEFAULT_OPSET,
    metadata: Mapping[str, str] | None = None,
) -> onnx.ModelProto:
    """The same with Quant nodes; ``tokens`` int64 [batch, ctx_len], all shapes written down."""
    graph = OnnxGraph(opset, {QONNX_DOMAIN: QONNX_VERSION})
    layers = QuantizedLayers(model, graph, made, QONNXWeights(graph))
    write_full(layers, batch, made.shape.ctx_len)
    return with_shapes(graph.to_model("decoder", metadata or {}))


def least_opset(made: Dequantized) -> int:
    """The oldest opset in which QDQ stores the codes in their own bits."""
    formats = [WeightFormat.parse(text) for _, text in made.model.config.formats]
    needs_new = any(f.group or (f.kind == "int" and f.bits == 4) for f in formats)
    return BLOCKS_OPSET if needs_new else DEFAULT_OPSET


def export_qdq(
    made: Dequantized,
    path: str | os.PathLike,
    *,
    opset: int | None = None,
    metadata: Mapping[str, str] | None = None,
    check: bool = True,
) -> str:
    """Write :func:`qdq_graph`, compare it with torch (unless told not to); the result's line.

    Raises UserError for what cannot be exported or written, ToolError if the file differs; no file
    is left then.
    """
    model = TorchDecoder.from_tensors(made.shape, made.tensors)
    graph = qdq_graph(made, model, opset=opset, metadata=metadata)
    return write_onnx(graph, path, (lambda file: check_full(file, model)) if check else None)


def export_qonnx_decoder(
    made: Dequantized,
    path: str | os.PathLike,
    *,
    batch: int = 1,
    opset: int = DEFAULT_OPSET,
    metadata: Mapping[str, str] | None = None,
    check: bool = True,
) -> str:
    """The same for :func:`qonnx_decoder_graph`, by QONNX's executor."""
    model = TorchDecoder.from_tensors(made.shape, made.tensors)
    graph = qonnx_decoder_graph(made, model, batch=batch, opset=opset, metadata=metadata)
    return write_onnx(graph, path, (lambda file: _check(file, model)) if check else None)


def _check(path: str | os.PathLike, model: TorchDecoder) -> str:
    import importlib.metadata

    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.core.onnx_exec import execute_onnx

    from .onnx_session import refusals_named

    wrapper, difference = ModelWrapper(os.fspath(path)), Difference()
    shape = tuple(wrapper.get_tensor_shape("tokens"))
    tokens = np.random.default_rng(0).integers(model.config.vocab_size, size=shape)
    with refusals_named():
        got = execute_onnx(wrapper, {"tokens": tokens})["logits"]
    difference.add(got, torch_logits(model, tokens), f"tokens of shape {shape}")
    return f"qonnx {importlib.metadata.version('qonnx')} equals torch: {difference}"
