"""The parts of a float model's ONNX graph that work on every position for itself."""

from __future__ import annotations

import numpy as np
from torch import Tensor, nn

from .onnx_graph import OnnxGraph


class FloatLayers:
    """Writes norms, products and feed-forward of ``model`` into ``graph``, with its weights.

    Parameters
    ----------
    model : FloatModel, GPT2 or TorchDecoder
    graph : OnnxGraph

    ``position_embedding`` is None with rotary positions.
    """

    def __init__(self, model: nn.Module, graph: OnnxGraph):
        self.model, self.graph = model, graph
        self.token_embedding = self.embedding("token_embedding", _array(model.token_embedding))
        positions = model.position_embedding
        self.position_embedding = (
            None
            if positions is None
            else graph.initializer("position_embedding", _array(positions))
        )

    def embedding(self, name: str, array: np.ndarray) -> str:
        """float32 [rows, features] of a table."""
        return self.graph.initializer(name, array)

    def weight(self, name: str, array: np.ndarray) -> str:
        """float32 [in, out] of a matrix ``array`` [out, in]."""
        return self.graph.initializer(f"{name}.weight", array.T)

    def reshape(self, x: str, shape: list[int], out: str | None = None) -> str:
        return self.graph.op("Reshape", x, self.graph.constant(shape, np.int64), out=out)

    def norm(self, name: str, norm: nn.Module, x: str) -> str:
        graph = self.graph
        if isinstance(norm, nn.LayerNorm):
            weight = graph.initializer(f"{name}.weight", _array(norm.weight))
            parameters = [weight]
            if norm.bias is not None:
                parameters.append(graph.initializer(f"{name}.bias", _array(norm.bias)))
            return graph.op("LayerNormalization", x, *parameters, epsilon=norm.eps)
        square = graph.op("Pow", x, graph.constant(2))
        mean = graph.op("ReduceMean", square, graph.constant([-1], np.int64))
        rms = graph.op("Sqrt", graph.op("Add", mean, graph.constant(norm.eps)))
        gain = graph.initializer(f"{name}.gain", _array(norm.gain))
        return graph.op("Mul", graph.op("Div", x, rms), gain)

    @property
    def query_scale(self) -> np.float32:
        """1/√head_dim, which is folded into the queries."""
        return np.float32(self.model.config.head_dim**-0.5)

    def qkv(self, i: int, layer: nn.Module, hidden: str) -> str:
        """Queries, times 1/√head_dim, keys and values side by side."""
        projections = (layer.q_proj, layer.k_proj, layer.v_proj)
        factors = (self.query_scale, np.float32(1), np.float32(1))
        pairs = list(zip(projections, factors, strict=True))
        weight = np.concatenate([_array(p.weight) * f for p, f in pairs])
        bias = None
        if any(p.bias is not None for p in projections):
            bias = np.concatenate([_bias(p) * f for p, f in pairs])
        return self._affine(f"layers.{i}.qkv_proj", weight, bias, hidden)

    def linear(self, name: str, module: nn.Linear, x: str) -> str:
        bias = None if module.bias is None else _array(module.bias)
        return self._affine(name, _array(module.weight), bias, x)

    def _affine(self, name: str, weight: np.ndarray, bias: np.ndarray | None, x: str) -> str:
        product = self.graph.op("MatMul", x, self.weight(name, weight))
        if bias is None:
            return product
        return self.graph.op("Add", product, self.graph.initializer(f"{name}.bias", bias))

    def after_attention(self, i: int, layer: nn.Module, attn: str, residual: str) -> str:
        """The rest of a layer."""
        graph, name = self.graph, f"layers.{i}."
        residual = graph.op("Add", residual, self.linear(f"{name}o_proj", layer.o_proj, attn))
        normed = self.norm(f"{name}ffn_norm", layer.ffn_norm, residual)
        hidden = self.linear(f"{name}up_proj", layer.up_proj, normed)
        gate = getattr(layer, "gate_proj", None)
        if gate is None:
            hidden = self._activated(layer.activation, hidden)
        else:
            gate = self._activated(layer.activation, self.linear(f"{name}gate_proj", gate, normed))
            hidden = graph.op("Mul", gate, hidden)
        return graph.op("Add", residual, self.linear(f"{name}down_proj", layer.down_proj, hidden))

    def _activated(self, activation: str, x: str) -> str:
        graph = self.graph
        match activation:
            case "relu":
                return graph.op("Relu", x)
            case "squared_relu":
                x = graph.op("Relu", x)
                return graph.op("Mul", x, x)
            case "gelu":
                return graph.op("Gelu", x)
            case "gelu_tanh":
                return graph.op("Gelu", x, approximate="tanh")
            case "silu":
                return graph.op("Mul", x, graph.op("Sigmoid", x))
        raise ValueError(f"no operators for the activation {activation!r}")

    def head(self, residual: str) -> str:
        hidden = self.norm("final_norm", self.model.final_norm, residual)
        own = getattr(self.model, "lm_head", None)
        if own is not None:
            weight = self.weight("lm_head", _array(own))
        else:
            weight = self.graph.op("Transpose", self.token_embedding, perm=[1, 0])
        return self.graph.op("MatMul", hidden, weight, out="logits")


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.detach().numpy().astype(np.float32)


def _bias(module: nn.Linear) -> np.ndarray:
    """Its bias, zeros if it has none."""
    if module.bias is None:
        return np.zeros(module.out_features, np.float32)
    return _array(module.bias)
