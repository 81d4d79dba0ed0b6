"""A decoder of the field in numpy float32: what an imported model computes before quantization."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from ..support.errors import UserError
from ..support.memory import available_bytes
from .activations import FUNCTIONS
from .checkpoints.native_blocks import NativeBlocks, as_float
from .checkpoints.source import SourceModel
from .decoder_shape import DecoderShape

Tap = Callable[[str, np.ndarray], None]
KEPT_SHARE = 0.5
"""Of the memory that is available: float weights beyond it are read anew for each use."""


class FloatDecoder:
    """Logits of a model, and every stage on the way to them.

    Parameters
    ----------
    shape : SourceModel or DecoderShape
    tensors : mapping of :meth:`DecoderShape.tensor_shapes` to float32 or NativeBlocks; None with a
        SourceModel, whose own they are
    keep : bool: hold all weights as float32; None: if half of the available memory suffices
    """

    def __init__(
        self,
        shape: SourceModel | DecoderShape,
        tensors: Mapping[str, np.ndarray | NativeBlocks] | None = None,
        keep: bool | None = None,
    ):
        if isinstance(shape, SourceModel):
            shape, tensors = shape.shape, shape.tensors if tensors is None else tensors
        self.shape, self._tensors = shape, tensors
        if keep is None:
            available = available_bytes()
            needed = shape.n_parameters * np.dtype(np.float32).itemsize
            keep = available is None or needed <= KEPT_SHARE * available
        self._kept: dict[str, np.ndarray] | None = {} if keep else None

    def logits(self, tokens: np.ndarray, tap: Tap | None = None) -> np.ndarray:
        """Logits of the token after each: float32 [batch, length, vocab_size].

        Parameters
        ----------
        tokens : int [batch, length], each sequence from position 0, length at most ctx_len
        tap : function of (name, float32 [batch, length, features]), called with every stage:
            embed; for each layer ``layers.{i}.`` and attn_norm, q, k (both after RoPE), v, attn
            (what enters o_proj), attn_residual, ffn_norm, gate (if gated) and up (both before the
            activation), hidden (what enters down_proj), ffn_residual; final_norm; logits

        Raises UserError if a token or the length is out of range.
        """
        tokens = self._checked(tokens)
        see = tap or (lambda name, array: None)
        x = self._weight("token_embedding")[tokens]
        if self.shape.positions == "learned":
            x = x + self._weight("position_embedding")[: tokens.shape[1]]
        see("embed", x)
        for i in range(self.shape.n_layers):
            x = self._layer(x, f"layers.{i}.", see)
        x = self._norm(x, "final_norm")
        see("final_norm", x)
        head = "token_embedding" if self.shape.tied_head else "lm_head"
        logits = x @ self._weight(head).T
        see("logits", logits)
        return logits

    def _layer(self, x: np.ndarray, layer: str, see: Tap) -> np.ndarray:
        normed = self._norm(x, f"{layer}attn_norm")
        see(f"{layer}attn_norm", normed)
        attended = self._attention(normed, layer, see)
        see(f"{layer}attn", attended)
        x = x + self._matrix(attended, f"{layer}o_proj")
        see(f"{layer}attn_residual", x)
        normed = self._norm(x, f"{layer}ffn_norm")
        see(f"{layer}ffn_norm", normed)
        hidden = self._ffn(normed, layer, see)
        see(f"{layer}hidden", hidden)
        x = x + self._matrix(hidden, f"{layer}down_proj")
        see(f"{layer}ffn_residual", x)
        return x

    def _ffn(self, x: np.ndarray, layer: str, see: Tap) -> np.ndarray:
        """What enters down_proj."""
        activation = FUNCTIONS[self.shape.activation]
        if self.shape.gated:
            gate = self._matrix(x, f"{layer}gate_proj")
            see(f"{layer}gate", gate)
        up = self._matrix(x, f"{layer}up_proj")
        see(f"{layer}up", up)
        return activation(gate) * up if self.shape.gated else activation(up)

    def _attention(self, x: np.ndarray, layer: str, see: Tap) -> np.ndarray:
        """Causal attention, heads side by side: [batch, length, n_heads * head_dim]."""
        shape = self.shape
        q, k, v = (self._matrix(x, f"{layer}{kind}_proj") for kind in "qkv")
        if shape.positions == "rotary":
            q, k = self._rotated(q), self._rotated(k)
        for name, array in (("q", q), ("k", k), ("v", v)):
            see(f"{layer}{name}", array)
        batch, length = x.shape[:2]
        # [batch, KV heads, query heads of each, length, head_dim]
        q = q.reshape(batch, length, shape.n_kv_heads, -1, shape.head_dim).transpose(0, 2, 3, 1, 4)
        k, v = (
            a.reshape(batch, length, shape.n_kv_heads, 1, shape.head_dim).transpose(0, 2, 3, 1, 4)
            for a in (k, v)
        )
        scores = q @ k.swapaxes(-1, -2)
        scores *= np.float32(1 / math.sqrt(shape.head_dim))
        future = np.triu(np.ones((length, length), bool), 1)
        np.copyto(scores, np.float32(-np.inf), where=future)
        attended = softmax(scores) @ v
        return attended.transpose(0, 3, 1, 2, 4).reshape(batch, length, -1)

    def _rotated(self, x: np.ndarray) -> np.ndarray:
        """RoPE: pairs (j, j + head_dim / 2) of each head turned by its position."""
        heads = x.reshape(*x.shape[:2], -1, self.shape.head_dim)
        positions = np.arange(x.shape[1], dtype=np.float32)
        frequencies = np.array(self.shape.inverse_frequencies, np.float32)
        angles = np.outer(positions, frequencies)[:, None]  # [length, 1, head_dim / 2]
        cos, sin = np.cos(angles), np.sin(angles)
        first, second = np.split(heads, 2, axis=-1)
        turned = (first * cos - second * sin, second * cos + first * sin)
        return np.concatenate(turned, axis=-1).reshape(x.shape)

    def _norm(self, x: np.ndarray, name: str) -> np.ndarray:
        if self.shape.norm == "layer":
            x = x - x.mean(axis=-1, keepdims=True)
        scale = np.sqrt((x * x).mean(axis=-1, keepdims=True) + np.float32(self.shape.norm_eps))
        normed = x / scale * self._weight(name)
        return normed + self._weight(f"{name}.bias") if self.shape.norm_bias else normed

    def _matrix(self, x: np.ndarray, name: str) -> np.ndarray:
        product = x @ self._weight(name).T
        if name.rpartition(".")[2] in self.shape.bias:
            product += self._weight(f"{name}.bias")
        return product

    def _weight(self, name: str) -> np.ndarray:
        if self._kept is None:
            return as_float(self._tensors[name])
        if name not in self._kept:
            self._kept[name] = as_float(self._tensors[name])
        return self._kept[name]

    def _checked(self, tokens: np.ndarray) -> np.ndarray:
        tokens = np.asarray(tokens)
        if tokens.ndim != 2 or tokens.dtype.kind not in "iu":
            raise TypeError(
                f"tokens must be int [batch, length], not {tokens.dtype} {tokens.shape}"
            )
        if not 1 <= tokens.shape[1] <= self.shape.ctx_len:
            raise UserError(
                f"a sequence must have 1 to {self.shape.ctx_len} tokens, the model's context, not "
                f"{tokens.shape[1]}"
            )
        if tokens.size and not 0 <= tokens.min() <= tokens.max() < self.shape.vocab_size:
            wrong = tokens.max() if tokens.min() >= 0 else tokens.min()
            raise UserError(
                f"a token must be in 0..{self.shape.vocab_size - 1}, the model's vocabulary, not "
                f"{wrong}"
            )
        return tokens


def softmax(scores: np.ndarray) -> np.ndarray:
    """Over the last axis: float32 of the same shape."""
    powers = scores - scores.max(axis=-1, keepdims=True)
    np.exp(powers, out=powers)
    powers /= powers.sum(axis=-1, keepdims=True)
    return powers
