"""GPT-2 in torch: the modules of :mod:`model.floating.torch_model` with LayerNorm, biases and GELU.

Tensors are named as in :class:`model.floating.torch_model.FloatModel`;
:mod:`model.floating.gpt2_checkpoint` reads Hugging Face's names.
"""

from __future__ import annotations

import dataclasses

import torch
from torch import nn

from ..contract.config import ModelConfig
from .checkpoints.hugging_face_config import ACTIVATIONS as KNOWN
from .torch_model import FUNCTIONS, Decoder, Layer

ACTIVATIONS = {name: ours for name, ours in KNOWN.items() if ours in FUNCTIONS}
"""Activation functions by Hugging Face's names, and what they are called in torch here."""

INITIAL_STD = 0.02
"""Standard deviation of freshly initialized weights."""


@dataclasses.dataclass(frozen=True)
class GPT2Config:
    """Sizes, activation (of :data:`model.floating.torch_model.FUNCTIONS`), LayerNorm's epsilon."""

    sizes: ModelConfig
    activation: str = "gelu_tanh"
    norm_eps: float = 1e-5

    def norm(self) -> nn.LayerNorm:
        """A new LayerNorm of the residual stream."""
        return nn.LayerNorm(self.sizes.d_model, self.norm_eps)


class GPT2(Decoder):
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
        self.layers = nn.ModuleList(
            Layer(sizes, config.activation, config.norm, bias=True) for _ in range(sizes.n_layers)
        )
        self.final_norm = config.norm()
