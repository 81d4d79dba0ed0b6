"""The two ways in which ONNX files say what is quantized: QDQ pairs, and QONNX's Quant.

Every scale is 1: the numbers are the integer model's own units.
"""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np

from .onnx_graph import OnnxGraph

QONNX_DOMAIN = "qonnx.custom_op.general"
QONNX_VERSION = 1

STORED = ".quantized"
"""Ends the names of stored 8-bit tensors; without it, it is the name of their float32 form."""

LARGEST_INT8 = 64
"""Weights beyond this are stored as uint8: on x86 processors without VNNI onnxruntime adds pairs
of uint8 * int8 products in saturating 16 bits, which hold 2 * 255 * 64."""

UINT8_ZERO = 128
"""Zero point of signed numbers stored as uint8."""


class Quantizers(Protocol):
    """How a graph of the integer model marks weights and rounds activations."""

    def weight(self, name: str, integers: np.ndarray, bound: int) -> str:
        """float32 tensor of the stored ``integers`` within ±``bound``."""

    def floor_and_clamp(self, x: str, low: int, high: int, out: str | None = None) -> str:
        """``clamp(floor(x), low, high)`` of float32 ``x``."""


class QDQ:
    """8-bit weights with DequantizeLinear; QuantizeLinear and DequantizeLinear for activations.

    QuantizeLinear rounds half to even and saturates at -128, the contract rounds half up and
    saturates at -127: so Floor and Clip come before, and QuantizeLinear changes nothing.
    Activations are uint8, signed ones with a zero point: onnxruntime would make int8 ones so on
    x86 processors, and version 1.32 fails at that in opset 24.
    """

    def __init__(self, graph: OnnxGraph):
        self.graph, self.scale = graph, graph.constant(1)

    def weight(self, name: str, integers: np.ndarray, bound: int) -> str:
        dtype = np.int8 if bound <= LARGEST_INT8 else np.uint8
        shifted = integers + zero_point(dtype)
        stored = self.graph.initializer(name + STORED, shifted.astype(dtype))
        zero = self.graph.constant(zero_point(dtype), dtype)
        return self.graph.op("DequantizeLinear", stored, self.scale, zero, out=name)

    def floor_and_clamp(self, x: str, low: int, high: int, out: str | None = None) -> str:
        graph = self.graph
        limits = graph.constant(low), graph.constant(high)
        if high - low > np.iinfo(np.uint8).max:  # the residual stream: not quantized to 8 bits
            return graph.op("Clip", graph.op("Floor", x), *limits, out=out)
        clipped = graph.op("Clip", graph.op("Floor", x), *limits)
        zero = graph.constant(UINT8_ZERO if low < 0 else 0, np.uint8)
        quantized = graph.op("QuantizeLinear", clipped, self.scale, zero)
        return graph.op("DequantizeLinear", quantized, self.scale, zero, out=out)


class QONNX:
    """QONNX's Quant: its bits, sign and narrow range are exactly the contract's ranges.

    Weights of n balanced-ternary digits have the narrow signed bits that hold them: 2 for ternary
    ones (-1, 0, 1), 4, 5, 7 and 8 for n = 2 to 5.
    """

    def __init__(self, graph: OnnxGraph):
        self.graph, self.scale, self.zero = graph, graph.constant(1), graph.constant(0)

    def weight(self, name: str, integers: np.ndarray, bound: int) -> str:
        stored = self.graph.initializer(f"{name}.integers", integers.astype(np.float32))
        return self._quant(stored, -bound, bound, "ROUND", name)

    def floor_and_clamp(self, x: str, low: int, high: int, out: str | None = None) -> str:
        bits = self.bits(low, high)
        held = range_of(bits, low < 0)
        if held != (low, high):
            raise ValueError(f"{bits} bits hold {held}, not {low}..{high}")
        return self._quant(x, low, high, "FLOOR", out)

    @staticmethod
    def bits(low: int, high: int) -> int:
        """Fewest bits that hold low..high, narrow if signed."""
        return math.ceil(math.log2(high + 1)) + (low < 0)

    def _quant(self, x: str, low: int, high: int, rounding: str, out: str | None) -> str:
        signed = int(low < 0)
        bits = self.graph.constant(self.bits(low, high))
        return self.graph.op(
            "Quant",
            *(x, self.scale, self.zero, bits),
            out=out,
            domain=QONNX_DOMAIN,
            signed=signed,
            narrow=signed,
            rounding_mode=rounding,
        )


def zero_point(dtype) -> int:
    """What QDQ stores instead of 0 in weights of ``dtype``."""
    return UINT8_ZERO if dtype == np.uint8 else 0


def range_of(bits: int, signed: bool) -> tuple[int, int]:
    """Lowest and highest integer of ``bits``, narrow if signed."""
    high = 2 ** (bits - 1) - 1 if signed else 2**bits - 1
    return (-high if signed else 0), high
