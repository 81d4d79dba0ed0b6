"""Quantization-aware training: latent float parameters whose forward is the integer model.

Weights and steps: Esser et al., "Learned Step Size Quantization" (arXiv 1902.08153). A matrix of
real weights ``weight_int * step`` between activations with units ``s_in`` and ``s_out`` becomes
integer weights and the requantizer multipliers ``step * s_in / s_out * 2**shift``; both depend on
the latent parameters with straight-through gradients, which together are LSQ's.
"""

from __future__ import annotations

import dataclasses
import math

import torch
from torch import Tensor, nn

from ..contract import arith
from ..contract.config import ModelConfig
from ..contract.integer_model import IntegerModel
from ..floating.calibration import Scales, best_step, calibrate, input_scale, output_scale
from ..floating.choices import QuantizationChoices
from ..floating.straight_through import quantize, quantize_weight
from ..floating.torch_model import FloatModel
from .torch_integer import IntegerForward, TensorTap, no_tap

LEARNED_SCALES = ("v", "ffn_hidden")
"""Activations of each layer whose unit is learned; a norm's gain learns its output's unit, and
the product of q's and k's units is fixed by the softmax table."""


class QuantizedMatrix(nn.Module):
    """Latent weight [out, in] and log2 of the step [out] or [1], in the float model's units.

    ``limits`` are the smallest and the largest integer.
    """

    def __init__(
        self,
        weight: Tensor,
        limits: tuple[int, int],
        step_per_row: bool = True,
        weights_return: bool = False,
    ):
        super().__init__()
        self.limits, self.weights_return = limits, weights_return
        self.weight = nn.Parameter(weight.detach().clone())
        rows = self.weight.detach() if step_per_row else self.weight.detach().reshape(1, -1)
        self.log_step = nn.Parameter(best_step(rows, *limits).log2())
        self.register_buffer("fixed", None)

    def fix(self):
        """Keep the integers of now; the step is still trained."""
        self.fixed = self._integers().detach()
        self.weight.requires_grad_(False)

    def step(self) -> Tensor:
        """[out]"""
        return self.log_step.exp2().expand(len(self.weight))

    def forward(self, mult_per_step: Tensor) -> tuple[Tensor, Tensor]:
        """(weight, mult) as integers; ``mult_per_step`` is ``s_in / s_out * 2**shift``."""
        weight = self._integers() if self.fixed is None else self.fixed
        return weight, quantize(self.step() * mult_per_step, 0, arith.MULT_MAX)

    def _integers(self) -> Tensor:
        step = self.step()[:, None]
        if self.weights_return:
            return quantize_weight(self.weight, step, *self.limits)
        return quantize(self.weight / step, *self.limits)


class QATModel(nn.Module):
    """A float model on its way to integers.

    Parameters
    ----------
    config : ModelConfig, its digits decide the weights' levels
    twin : FloatModel of the same sizes, the start
    tokens : int64 [windows, positions], what the activations' units are calibrated on
    choices : QuantizationChoices
    """

    def __init__(
        self,
        config: ModelConfig,
        twin: FloatModel,
        tokens: Tensor,
        choices: QuantizationChoices = QuantizationChoices(),  # noqa: B008
    ):
        super().__init__()
        self.config = config
        self.token_embedding = nn.Parameter(twin.token_embedding.detach().clone())
        self.position_embedding = nn.Parameter(twin.position_embedding.detach().clone())
        self.matrices = nn.ModuleDict(
            {
                _key(name): QuantizedMatrix(
                    twin.get_submodule(name).weight,
                    choices.weight_limits(config.digits_of(name)),
                    choices.step_per_row,
                    choices.weights_return,
                )
                for name in config.matrix_names()
            }
        )
        self.gains = nn.ParameterDict(
            {_key(n): twin.get_submodule(n).gain.detach().clone() for n in config.norm_names()}
        )
        steps = {n: self.matrices[_key(n)].step() for n in config.matrix_names()}
        self.scales = calibrate(twin, steps, tokens, choices.activation_quantile)
        units = self.scales.activations
        for kind in LEARNED_SCALES:
            logs = [math.log2(units[f"layers.{i}.{kind}"]) for i in range(config.n_layers)]
            self.register_parameter(f"log_{kind}_scale", nn.Parameter(torch.tensor(logs)))
        logit_unit = units["residual"] * self.scales.token_mult * units["final_norm"]
        self.log_logit_scale = nn.Parameter(torch.tensor(math.log2(logit_unit)))
        if not choices.learned_scales:
            for name, parameter in self.named_parameters():
                parameter.requires_grad_("log_" not in name)

    def fix_weights(self):
        """Keep the matrices' integers; what else there is, is still trained.

        That makes the weights' oscillation between two integers end: Nagel et al., "Overcoming
        Oscillations in Quantization-Aware Training" (arXiv 2203.11086).
        """
        for matrix in self.matrices.values():
            matrix.fix()

    def get_extra_state(self) -> dict:
        return dataclasses.asdict(self.scales)

    def set_extra_state(self, state: dict):
        self.scales = Scales(**state)

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits in nats [batch, positions, vocab_size] of int64 ``tokens`` [batch, positions]."""
        return self.integer_logits(tokens) * self.log_logit_scale.exp2()

    def integer_logits(self, tokens: Tensor, tap: TensorTap = no_tap) -> Tensor:
        """Integer logits; ``tap`` sees every stage."""
        return IntegerForward(self.config, self._tensors(), self._scalars()).logits(tokens, tap)

    def to_integer_model(self, vocabulary) -> IntegerModel:
        """The deployed model: the very integers of the forward."""
        tensors = {name: tensor.detach().numpy() for name, tensor in self._tensors().items()}
        scalars = {
            **self._scalars(),
            "logit_scale": self.log_logit_scale.exp2().item(),
            "vocabulary": tuple(vocabulary),
        }
        return IntegerModel.from_parts(self.config, tensors, scalars)

    def _tensors(self) -> dict[str, Tensor]:
        """Integer parameters, named like IntegerModel.tensors()."""
        limit, unit = arith.ACT_MAX, self.scales.activations["residual"]
        token_unit, position_unit = (
            unit * mult for mult in (self.scales.token_mult, self.scales.position_mult)
        )
        tensors = {
            "token_embedding": quantize(self.token_embedding / token_unit, -limit, limit),
            "position_embedding": quantize(self.position_embedding / position_unit, -limit, limit),
        }
        for name in self.config.matrix_names():
            ratio = self._unit(input_scale(name)) / self._unit(output_scale(name))
            weight, mult = self.matrices[_key(name)](ratio * 2 ** self.scales.shifts[name])
            tensors[f"{name}.weight"], tensors[f"{name}.mult"] = weight, mult
        for name in self.config.norm_names():
            gain = self.gains[_key(name)] * self.scales.gain_units[name]
            tensors[f"{name}.gain"] = quantize(gain, -limit, limit)
        return tensors

    def _scalars(self) -> dict:
        names = ("token_mult", "position_mult", "shifts", "score_shifts")
        return {name: getattr(self.scales, name) for name in names}

    def _unit(self, name: str) -> Tensor:
        """Real value of one unit of the activation ``name``."""
        kind = name.rsplit(".", 1)[-1]
        if kind in LEARNED_SCALES:
            return getattr(self, f"log_{kind}_scale")[int(name.split(".")[1])].exp2()
        return torch.tensor(self.scales.activations[name])


def _key(name: str) -> str:
    """``name`` as a key of a module dictionary, which must not have dots."""
    return name.replace(".", "_")
