"""The parts of a float model's ONNX graph that work on every position for itself."""

from __future__ import annotations

import numpy as np
from torch import Tensor, nn

from ..floating.twin import NORM_EPS
from .onnx_graph import OnnxGraph


class FloatLayers:
    """Writes norms, products and feed-forward of ``model`` into ``graph``, with its weights.

    Parameters
    ----------
    model : FloatModel or GPT2
    graph : OnnxGraph
    """

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
        match layer.activation:
            case "relu":
                hidden = graph.op("Relu", hidden)
            case "squared_relu":
                hidden = graph.op("Relu", hidden)
                hidden = graph.op("Mul", hidden, hidden)
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
