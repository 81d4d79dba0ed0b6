"""GPT-2 in torch: the modules of :mod:`model.torch_model` with LayerNorm, biases and GELU.

Tensors are named as in :class:`model.torch_model.FloatModel`; :mod:`model.gpt2_checkpoint` reads
Hugging Face's names.
"""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .config import MATRICES, ModelConfig
from .torch_model import merge_heads, split_heads

ACTIVATIONS = {
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "gelu": "gelu",
    "relu": "relu",
}
"""Activation functions by Hugging Face's names, and what they are called here."""

FUNCTIONS = {
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "gelu": F.gelu,
    "relu": F.relu,
}

INITIAL_STD = 0.02
"""Standard deviation of freshly initialized embeddings."""


@dataclasses.dataclass(frozen=True)
class GPT2Config:
    """Sizes, the feed-forward's activation (a key of FUNCTIONS) and LayerNorm's epsilon."""

    sizes: ModelConfig
    activation: str = "gelu_tanh"
    norm_eps: float = 1e-5


class GPT2Layer(nn.Module):
    """Pre-norm attention and feed-forward, with biases."""

    def __init__(self, config: GPT2Config):
        super().__init__()
        sizes = config.sizes
        self.n_heads, self.activation = sizes.n_heads, config.activation
        self.attn_norm = nn.LayerNorm(sizes.d_model, config.norm_eps)
        self.ffn_norm = nn.LayerNorm(sizes.d_model, config.norm_eps)
        for kind in MATRICES:
            out_features, in_features = sizes.matrix_shape(f"layers.0.{kind}")
            setattr(self, kind, nn.Linear(in_features, out_features))

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


class GPT2(nn.Module):
    """GPT-2 with a tied output head.

    Parameters
    ----------
    config : GPT2Config
    """

    def __init__(self, config: GPT2Config):
        super().__init__()
        sizes = config.sizes
        self.gpt2_config, self.config = config, sizes
        self.token_embedding = nn.Parameter(
            INITIAL_STD * torch.randn(sizes.vocab_size, sizes.d_model)
        )
        self.position_embedding = nn.Parameter(
            INITIAL_STD * torch.randn(sizes.ctx_len, sizes.d_model)
        )
        self.layers = nn.ModuleList(GPT2Layer(config) for _ in range(sizes.n_layers))
        self.final_norm = nn.LayerNorm(sizes.d_model, config.norm_eps)

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits in nats [batch, positions, vocab_size] of int64 ``tokens`` [batch, positions]."""
        residual = self.token_embedding[tokens] + self.position_embedding[: tokens.shape[1]]
        for layer in self.layers:
            residual = layer(residual)
        return self.final_norm(residual) @ self.token_embedding.T
