"""A decoder of the field in torch, of any :class:`model.floating.decoder_shape.DecoderShape`: what
is trained, and what exports are written from."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .checkpoints.native_blocks import NativeBlocks, as_float
from .decoder_shape import DecoderShape
from .torch_model import FUNCTIONS, RMSNorm, initialize, merge_heads, split_heads


class DecoderLayer(nn.Module):
    """One layer; its modules are named like the tensors of the shape, an absent ``gate_proj`` is
    not there."""

    def __init__(self, shape: DecoderShape):
        super().__init__()
        self.n_heads, self.n_kv_heads = shape.n_heads, shape.n_kv_heads
        self.activation, self.gated = shape.activation, shape.gated
        self.attn_norm, self.ffn_norm = _norm(shape), _norm(shape)
        for kind in shape.kinds:
            out_features, in_features = shape.matrix_shape(kind)
            setattr(self, kind, nn.Linear(in_features, out_features, kind in shape.bias))

    def forward(self, residual: Tensor, turn: tuple[Tensor, Tensor] | None) -> Tensor:
        """``turn``: cosines and sines [positions, head_dim / 2] of rotary positions, or None."""
        hidden = self.attn_norm(residual)
        q = split_heads(self.q_proj(hidden), self.n_heads)
        k, v = (
            split_heads(project(hidden), self.n_kv_heads) for project in (self.k_proj, self.v_proj)
        )
        if turn is not None:
            q, k = rotated(q, *turn), rotated(k, *turn)
        if self.n_kv_heads != self.n_heads:
            share = self.n_heads // self.n_kv_heads
            k, v = k.repeat_interleave(share, dim=1), v.repeat_interleave(share, dim=1)
        attn = merge_heads(F.scaled_dot_product_attention(q, k, v, is_causal=True))
        residual = residual + self.o_proj(attn)
        hidden = self.ffn_norm(residual)
        activation = FUNCTIONS[self.activation]
        if self.gated:
            hidden = activation(self.gate_proj(hidden)) * self.up_proj(hidden)
        else:
            hidden = activation(self.up_proj(hidden))
        return residual + self.down_proj(hidden)


class TorchDecoder(nn.Module):
    """Logits of a decoder, equal to :class:`model.floating.decoder.FloatDecoder`'s up to rounding.

    Parameters
    ----------
    shape : DecoderShape
    generator : torch.Generator, optional
        Source of the initial weights.

    ``position_embedding`` is None with rotary positions, ``lm_head`` with a tied head; ``cos`` and
    ``sin`` are float32 [ctx_len, head_dim / 2] of rotary positions, or None.
    """

    def __init__(self, shape: DecoderShape, generator: torch.Generator | None = None):
        super().__init__()
        self.config = shape
        rotary = shape.positions == "rotary"
        embedding = (shape.vocab_size, shape.d_model)
        self.token_embedding = nn.Parameter(torch.empty(embedding))
        self.position_embedding = (
            None if rotary else nn.Parameter(torch.empty(shape.ctx_len, shape.d_model))
        )
        self.layers = nn.ModuleList(DecoderLayer(shape) for _ in range(shape.n_layers))
        self.final_norm = _norm(shape)
        self.lm_head = None if shape.tied_head else nn.Parameter(torch.empty(embedding))
        frequencies = torch.tensor(shape.inverse_frequencies, dtype=torch.float32)
        angles = torch.outer(torch.arange(shape.ctx_len, dtype=torch.float32), frequencies)
        for name, table in (("cos", angles.cos()), ("sin", angles.sin())):
            self.register_buffer(name, table if rotary else None, persistent=False)
        initialize(self, shape.n_layers, generator)

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits in nats [batch, positions, vocab_size] of int64 ``tokens`` [batch, positions]."""
        residual = self.token_embedding[tokens]
        turn = None
        if self.position_embedding is not None:
            residual = residual + self.position_embedding[: tokens.shape[1]]
        else:
            turn = self.cos[: tokens.shape[1]], self.sin[: tokens.shape[1]]
        for layer in self.layers:
            residual = layer(residual, turn)
        head = self.token_embedding if self.lm_head is None else self.lm_head
        return self.final_norm(residual) @ head.T

    def tensors(self) -> dict[str, np.ndarray]:
        """Copies of all weights, named as in :meth:`DecoderShape.tensor_shapes`."""
        return {
            _tensor_name(name): parameter.detach().numpy().copy()
            for name, parameter in self.named_parameters()
        }

    @classmethod
    def from_tensors(
        cls, shape: DecoderShape, tensors: Mapping[str, np.ndarray | NativeBlocks]
    ) -> TorchDecoder:
        """The decoder with the weights of a SourceModel, in evaluation mode."""
        model = cls(shape)
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                parameter.copy_(torch.tensor(as_float(tensors[_tensor_name(name)])))
        return model.eval()


def rotated(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """RoPE of heads x [..., positions, head_dim]: pairs (j, j + head_dim / 2) are turned."""
    first, second = x.chunk(2, dim=-1)
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)


def _norm(shape: DecoderShape) -> nn.Module:
    if shape.norm == "rms":
        return RMSNorm(shape.d_model, shape.norm_eps)
    return nn.LayerNorm(shape.d_model, shape.norm_eps, bias=shape.norm_bias)


def _tensor_name(parameter: str) -> str:
    return parameter.removesuffix(".weight").removesuffix(".gain")
