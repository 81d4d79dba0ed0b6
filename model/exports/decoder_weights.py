"""The weights of an integer decoder (contract version 2) in ONNX: integers, and the operators that
make floats of them."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from ..contract.decoder.formats import WeightFormat
from ..contract.decoder.matrix import Matrix
from ..support.errors import UserError
from .onnx_graph import BLOCKS_OPSET, OnnxGraph
from .onnx_quantizers import QONNX_DOMAIN, STORED

MINIMUM_BITS = 8
"""Of the minimum of a group."""


class DecoderWeights(Protocol):
    """How a graph makes floats of a matrix' integers."""

    def floats(self, name: str, matrix: Matrix, factor: np.ndarray, transposed: bool) -> str:
        """float32 [out, in], or [in, out] if ``transposed``: ``matrix.weight() * factor`` [out]."""


class QDQWeights:
    """DequantizeLinear makes the contract's integers W of the stored codes, a Mul the real weights.

    Codes are stored in 4 bits where opset 21 has them and else in 8. Scales of groups are the
    operator's, per block (opset 21); minimums of groups are a DequantizeLinear of their own and an
    Add: the operator has integer zero points only. The scale per row is not in it, because of a
    DequantizeLinear right before a MatMul onnxruntime makes, by default and as it likes, a product
    that rounds the activations to 8 bits.

    Raises UserError naming a matrix with groups before opset 21.
    """

    def __init__(self, graph: OnnxGraph):
        self.graph, self.opset = graph, graph.opsets[""]

    def floats(self, name: str, matrix: Matrix, factor: np.ndarray, transposed: bool) -> str:
        graph, kind = self.graph, matrix.format
        if kind.group and self.opset < BLOCKS_OPSET:
            raise UserError(
                f"{name} has weights of format {kind}, whose scales per group take ONNX opset "
                f"{BLOCKS_OPSET}, not {self.opset}; leave --opset out"
            )
        codes = self._stored(name, matrix.codes, kind)
        if kind.group:
            scale = graph.initializer(f"{name}.group_scale", matrix.group_scale.astype(np.float32))
            x = graph.op("DequantizeLinear", codes, scale, axis=1, block_size=kind.group)
        else:
            x = graph.op("DequantizeLinear", codes, graph.constant(1))
        if kind.minimum:
            x = self._with_minimums(x, name, matrix)
        rows = graph.initializer(f"{name}.scale", factor[:, None].astype(np.float32))
        x = graph.op("Mul", x, rows)
        return graph.op("Transpose", x, perm=[1, 0]) if transposed else x

    def _with_minimums(self, x: str, name: str, matrix: Matrix) -> str:
        graph, (out, inp) = self.graph, matrix.shape
        low = graph.initializer(f"{name}.group_min{STORED}", matrix.group_min.astype(np.int8))
        low = graph.op("DequantizeLinear", low, graph.constant(2.0**matrix.min_shift))
        low = graph.op("Unsqueeze", low, graph.constant([2], np.int64))
        apart = graph.constant([out, -1, matrix.format.group], np.int64)
        total = graph.op("Add", graph.op("Reshape", x, apart), low)
        return graph.op("Reshape", total, graph.constant([out, inp], np.int64))

    def _stored(self, name: str, codes: np.ndarray, kind: WeightFormat) -> str:
        signed, stored = kind.low < 0, name + STORED
        if kind.kind != "trits" and kind.bits == 4 and self.opset >= BLOCKS_OPSET:
            return self.graph.nibbles(stored, codes, signed)
        return self.graph.initializer(stored, codes.astype(np.int8 if signed else np.uint8))


class QONNXWeights:
    """QONNX's Quant of float weights, with their bits and a scale per row or per group."""

    def __init__(self, graph: OnnxGraph):
        self.graph, self.zero = graph, graph.constant(0)

    def floats(self, name: str, matrix: Matrix, factor: np.ndarray, transposed: bool) -> str:
        kind, (out, inp) = matrix.format, matrix.shape
        if not kind.group:
            scale = factor[:, None]
            return self._quant(name, matrix.codes, scale, kind, transposed)
        grouped = matrix.codes.reshape(out, -1, kind.group)
        scale = (matrix.group_scale * factor[:, None])[..., None]
        scaled = self._quant(name, grouped, scale, kind, transposed)
        if kind.minimum:
            unit = (factor * 2.0**matrix.min_shift)[:, None, None]
            low = matrix.group_min[..., None]
            signed = WeightFormat("int", MINIMUM_BITS)
            low = self._quant(f"{name}.minimum", low, unit, signed, transposed)
            scaled = self.graph.op("Add", scaled, low)
        shape = [inp, out] if transposed else [out, inp]
        return self.graph.op("Reshape", scaled, self.graph.constant(shape, np.int64))

    def _quant(
        self, name: str, codes: np.ndarray, scale: np.ndarray, kind: WeightFormat, transposed: bool
    ) -> str:
        """``codes * scale``, rows first, as a Quant; rows are last if ``transposed``."""
        scale = np.broadcast_to(scale, (*scale.shape[:-1], 1)).astype(np.float32)
        floats = (codes * scale).astype(np.float32)
        scale = np.where(scale == 0, np.float32(1), scale)  # Quant divides by it
        if transposed:
            floats, scale = (np.moveaxis(array, 0, -1) for array in (floats, scale))
        graph = self.graph
        return graph.op(
            "Quant",
            graph.initializer(f"{name}.floats", floats),
            graph.initializer(f"{name}.scale", scale),
            self.zero,
            graph.constant(quant_bits(kind)),
            domain=QONNX_DOMAIN,
            signed=int(kind.low < 0),
            narrow=int(kind.low == -kind.high),
            rounding_mode="ROUND",
        )


def quant_bits(kind: WeightFormat) -> int:
    """Fewest bits that hold the codes of a format."""
    return kind.high.bit_length() + (kind.low < 0) if kind.kind == "trits" else kind.bits
