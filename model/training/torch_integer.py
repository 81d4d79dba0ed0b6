"""The integer model's forward in torch, differentiable through straight-through gradients.

Works on the names and values of :meth:`IntegerModel.tensors` and :meth:`IntegerModel.scalars`,
as float32 tensors of integers; equal to :class:`model.contract.reference.Reference` bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

from ..contract import arith
from ..contract.config import ModelConfig
from ..contract.integer_model import IntegerModel
from ..floating.straight_through import attention, exact_dtype, requantize, rms_norm
from ..floating.torch_model import merge_heads, split_heads

TensorTap = Callable[[str, Tensor], None]
"""Like :data:`model.contract.reference.Tap`, with tensors [batch, positions, …]; ``scores`` and
``probabilities`` are [batch, n_heads, query, position], scores -inf where masked."""


def no_tap(name: str, value: Tensor):
    """The tap that ignores what it sees."""


class IntegerForward:
    """The forward of one set of integer parameters.

    Parameters
    ----------
    config : ModelConfig
    tensors : mapping of name to float32 tensor of integers, named like IntegerModel.tensors()
    scalars : mapping, like IntegerModel.scalars(); ``logit_scale`` and ``vocabulary`` are not used
    """

    def __init__(self, config: ModelConfig, tensors: Mapping[str, Tensor], scalars: Mapping):
        self.config, self.tensors, self.scalars = config, tensors, scalars

    @classmethod
    def of(cls, model: IntegerModel) -> IntegerForward:
        """The forward of an IntegerModel (no gradients)."""
        tensors = {name: torch.tensor(a).float() for name, a in model.tensors().items()}
        return cls(model.config, tensors, model.scalars())

    def logits(self, tokens: Tensor, tap: TensorTap = no_tap) -> Tensor:
        """Integer logits [batch, positions, vocab_size] of int64 ``tokens`` [batch, positions]."""
        residual = self._embed(tokens)
        tap("embed", residual)
        for i in range(self.config.n_layers):
            residual = self._layer(f"layers.{i}.", i, residual, tap)
        hidden = self._norm("final_norm", residual)
        tap("final_norm", hidden)
        logits = _exact_linear(
            hidden, self.tensors["token_embedding"], self.config.d_model * arith.ACT_MAX**2
        )
        tap("logits", logits)
        return logits

    def _embed(self, tokens: Tensor) -> Tensor:
        rows = F.embedding(tokens, self.tensors["token_embedding"])
        positions = self.tensors["position_embedding"][: tokens.shape[1]]
        total = rows * self.scalars["token_mult"] + positions * self.scalars["position_mult"]
        return _saturate_residual(total)

    def _layer(self, prefix: str, i: int, residual: Tensor, tap: TensorTap) -> Tensor:
        def stage(name, value):
            tap(prefix + name, value)
            return value

        hidden = stage("attn_norm", self._norm(f"{prefix}attn_norm", residual))
        q, k, v = (
            stage(name, self._project(f"{prefix}{name}_proj", hidden, arith.to_activation))
            for name in "qkv"
        )
        attn = stage("attn", self._attend(q, k, v, self.scalars["score_shifts"][i], stage))
        update = self._project(f"{prefix}o_proj", attn, arith.to_residual)
        residual = stage("attn_residual", _saturate_residual(residual + update))
        hidden = stage("ffn_norm", self._norm(f"{prefix}ffn_norm", residual))
        hidden = stage("ffn_hidden", self._project(f"{prefix}up_proj", hidden, arith.to_relu))
        update = self._project(f"{prefix}down_proj", hidden, arith.to_residual)
        return stage("ffn_residual", _saturate_residual(residual + update))

    def _attend(self, q: Tensor, k: Tensor, v: Tensor, score_shift: int, tap) -> Tensor:
        heads = (split_heads(x, self.config.n_heads) for x in (q, k, v))
        return merge_heads(attention(*heads, arith.Softmax(score_shift), tap))

    def _norm(self, name: str, residual: Tensor) -> Tensor:
        norm = arith.RMSNorm(self.config.d_model, self.scalars["shifts"][name])
        return rms_norm(residual, self.tensors[f"{name}.gain"], norm)

    def _project(self, name: str, hidden: Tensor, requantizer) -> Tensor:
        weight, mult = self.tensors[f"{name}.weight"], self.tensors[f"{name}.mult"]
        largest = arith.max_weight(self.config.digits_of(name))
        bound = weight.shape[1] * largest * arith.ACT_MAX
        acc = _exact_linear(hidden, weight, bound)
        return requantize(acc, mult, requantizer(self.scalars["shifts"][name]), bound)


def _exact_linear(x: Tensor, weight: Tensor, bound: int) -> Tensor:
    dtype = exact_dtype(bound)
    return F.linear(x.to(dtype), weight.to(dtype))


def _saturate_residual(total: Tensor) -> Tensor:
    return F.hardtanh(total, -arith.RESIDUAL_MAX, arith.RESIDUAL_MAX)
