"""The float model in torch: the twin from which quantization-aware training starts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..contract.config import MATRICES, ModelConfig
from .twin import NORM_EPS

EMBEDDING_STD = 0.05
"""Standard deviation of freshly initialized embeddings (the head is tied: small first logits)."""
FUNCTIONS = {
    "relu": F.relu,
    "squared_relu": lambda x: F.relu(x).square(),
    "gelu": F.gelu,
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "silu": F.silu,
}
"""Activations of the feed-forward. The gateware has the first."""


class RMSNorm(nn.Module):
    """``gain * x / sqrt(mean(x**2) + eps)`` over the last axis."""

    def __init__(self, d_model: int, eps: float = NORM_EPS):
        super().__init__()
        self.gain, self.eps = nn.Parameter(torch.ones(d_model)), eps

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x, x.shape[-1:], self.gain, self.eps)


class Layer(nn.Module):
    """Pre-norm attention and feed-forward; modules are named like the integer model's.

    Parameters
    ----------
    sizes : ModelConfig or FloatShape
    activation : str, key of FUNCTIONS
    norm : function without arguments that makes a norm
    bias : bool: whether the matrices have one
    """

    def __init__(self, sizes, activation: str, norm: Callable[[], nn.Module], bias: bool):
        super().__init__()
        self.n_heads, self.activation = sizes.n_heads, activation
        self.attn_norm, self.ffn_norm = norm(), norm()
        for kind in MATRICES:
            out_features, in_features = sizes.matrix_shape(f"layers.0.{kind}")
            setattr(self, kind, nn.Linear(in_features, out_features, bias))

    def forward(self, residual: Tensor) -> Tensor:
        hidden = self.attn_norm(residual)
        q, k, v = (
            split_heads(project(hidden), self.n_heads)
            for project in (self.q_proj, self.k_proj, self.v_proj)
        )
        attn = merge_heads(F.scaled_dot_product_attention(q, k, v, is_causal=True))
        residual = residual + self.o_proj(attn)
        hidden = FUNCTIONS[self.activation](self.up_proj(self.ffn_norm(residual)))
        return residual + self.down_proj(hidden)


class Decoder(nn.Module):
    """What decoder-only transformers with a tied head and learned positions have in common.

    A class of its own makes ``token_embedding`` [vocab_size, d_model], ``position_embedding``
    [ctx_len, d_model], ``layers`` and ``final_norm``.
    """

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits in nats [batch, positions, vocab_size] of int64 ``tokens`` [batch, positions]."""
        residual = self.token_embedding[tokens] + self.position_embedding[: tokens.shape[1]]
        for layer in self.layers:
            residual = layer(residual)
        return self.final_norm(residual) @ self.token_embedding.T


class FloatModel(Decoder):
    """Decoder-only transformer: learned positions, pre-RMSNorm, ReLU, tied head, no biases.

    Parameters
    ----------
    config : ModelConfig
    generator : torch.Generator, optional
        Source of the initial weights.
    """

    activation = "relu"
    """Key of FUNCTIONS."""

    def __init__(self, config: ModelConfig, generator: torch.Generator | None = None):
        super().__init__()
        self.config = config
        self.token_embedding = nn.Parameter(torch.empty(config.vocab_size, config.d_model))
        self.position_embedding = nn.Parameter(torch.empty(config.ctx_len, config.d_model))
        self.layers = nn.ModuleList(
            Layer(config, self.activation, lambda: RMSNorm(config.d_model), bias=False)
            for _ in range(config.n_layers)
        )
        self.final_norm = RMSNorm(config.d_model)
        initialize(self, config.n_layers, generator)

    def weights(self) -> dict[str, np.ndarray]:
        """Copies of all float32 parameters, named as in :mod:`model.floating.twin`."""
        return {
            name: parameter.detach().numpy().copy() for name, parameter in self.named_parameters()
        }

    @classmethod
    def from_weights(cls, config: ModelConfig, weights: dict[str, np.ndarray]) -> FloatModel:
        """Inverse of :meth:`weights`; raises KeyError or RuntimeError if a tensor does not fit."""
        model = cls(config)
        model.load_state_dict({name: torch.tensor(array) for name, array in weights.items()})
        return model


class SquaredReLUModel(FloatModel):
    """The same with squared ReLU (So et al., "Primer", arXiv 2109.08668)."""

    activation = "squared_relu"


@torch.no_grad()
def initialize(model: nn.Module, n_layers: int, generator: torch.Generator | None) -> None:
    """Random first weights of a decoder's embeddings, head and matrices; its biases are zero."""
    for name, parameter in model.named_parameters():
        if name.endswith("_embedding") or name == "lm_head":
            parameter.normal_(std=EMBEDDING_STD, generator=generator)
        elif name.endswith("_proj.weight"):
            std = parameter.shape[1] ** -0.5
            if "o_proj" in name or "down_proj" in name:
                std *= (2 * n_layers) ** -0.5
            parameter.normal_(std=std, generator=generator)
        elif name.endswith(".bias"):
            parameter.zero_()


def split_heads(x: Tensor, n_heads: int) -> Tensor:
    """[batch, positions, d_model] to [batch, n_heads, positions, head_dim]."""
    return x.unflatten(-1, (n_heads, -1)).transpose(1, 2)


def merge_heads(x: Tensor) -> Tensor:
    """Inverse of :func:`split_heads`."""
    return x.transpose(1, 2).flatten(2)
