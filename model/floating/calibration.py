"""Where quantization starts: integer units for a float model's activations and weights."""

from __future__ import annotations

import dataclasses
import functools
import math

import torch
from torch import Tensor

from ..contract import arith
from ..contract.config import ModelConfig
from .choices import ACTIVATION_QUANTILE
from .torch_model import FloatModel

RESIDUAL_RMS = 300
"""Typical residual stream in its integer units: 1 % of its range, rounding error 0.1 %."""
MULT_START = 200
"""Largest multiplier of a matrix at the start, so that it may grow by a quarter."""
GAIN_START = 100
"""Largest norm gain at the start."""
EMBEDDING_START = 110
"""Largest embedding entry at the start."""
MIN_SHIFT, MAX_SHIFT, MAX_MULTI_DIGIT_SHIFT = 7, 16, 20
"""Range of the matrices' shifts that the hardware's multiplexers are kept small for."""
STEP_CANDIDATES = 80
"""Steps that are tried for each row."""


@dataclasses.dataclass
class Scales:
    """Real value of one integer unit, by name, and the shifts that follow from them.

    ``activations``: ``residual``, every norm's name (its output), and for layer i ``layers.i.q``,
    ``k``, ``v``, ``ffn_hidden``. ``shifts`` has every matrix and norm, ``gain_units`` the integer
    gain of a float gain of 1.
    """

    token_mult: int
    position_mult: int
    activations: dict[str, float]
    shifts: dict[str, int]
    gain_units: dict[str, float]
    score_shifts: list[int]


def calibrate(
    model: FloatModel,
    steps: dict[str, Tensor],
    tokens: Tensor,
    quantile: float = ACTIVATION_QUANTILE,
) -> Scales:
    """Scales for ``model`` with weight steps ``steps`` (by matrix name, each [out]).

    ``tokens`` int64 [windows, positions] are what the activations are measured on; ``quantile`` of
    an activation's magnitudes are not clipped.
    """
    cfg = model.config
    measured = _Statistics(model, tokens, quantile)
    activations = dict(measured.units)
    score_shifts = [_fit_scores(cfg, activations, i) for i in range(cfg.n_layers)]
    activations["residual"] = max(
        measured.residual_rms / RESIDUAL_RMS, _least_residual_unit(cfg, steps, activations)
    )
    token_mult, position_mult = (
        _embedding_mult(table.abs().max().item() / EMBEDDING_START, activations["residual"])
        for table in (model.token_embedding, model.position_embedding)
    )
    shifts = {name: _matrix_shift(cfg, name, steps, activations) for name in cfg.matrix_names()}
    gain_units = {}
    for name in cfg.norm_names():
        gain = model.get_submodule(name).gain.abs().max().item()
        per_gain = 1 / (2**arith.RMSNorm.FRAC_BITS * activations[name])
        shifts[name] = max(0, math.floor(math.log2(GAIN_START / (gain * per_gain))))
        gain_units[name] = per_gain * 2 ** shifts[name]
    return Scales(token_mult, position_mult, activations, shifts, gain_units, score_shifts)


def input_scale(name: str) -> str:
    """Name in ``Scales.activations`` of what enters the matrix ``name``."""
    layer, kind = name.rsplit(".", 1)
    source = {"o_proj": "v", "up_proj": "ffn_norm", "down_proj": "ffn_hidden"}
    return f"{layer}.{source.get(kind, 'attn_norm')}"


def output_scale(name: str) -> str:
    """Name in ``Scales.activations`` of what the matrix ``name`` gives."""
    layer, kind = name.rsplit(".", 1)
    if kind in ("o_proj", "down_proj"):
        return "residual"
    return f"{layer}.{'ffn_hidden' if kind == 'up_proj' else kind[0]}"


def best_step(weight: Tensor, low: int, high: int) -> Tensor:
    """Per-row step [out] with the least squared error of rounding ``weight`` [out, in].

    ``low`` and ``high`` are the smallest and the largest integer weight.
    """
    largest = torch.maximum(weight.amin(1) / low, weight.amax(1) / high).clamp(min=1e-6 / high)
    fractions = torch.linspace(0.2, 1.0, STEP_CANDIDATES)
    candidates = (largest * fractions[:, None])[..., None]
    rounded = (weight / candidates).round().clamp(low, high) * candidates
    best = (rounded - weight).square().sum(-1).argmin(0)
    return largest * fractions[best]


class _Statistics:
    """What the float model's activations need.

    ``units``: by name, 1/127 of the quantile of its magnitudes; ``residual_rms``: root mean square
    of the residual stream, over all norms' inputs.
    """

    def __init__(self, model: FloatModel, tokens: Tensor, quantile: float):
        self._quantile = quantile
        self.units: dict[str, float] = {}
        squares = []
        hooks = []
        for name in model.config.matrix_names():
            if input_scale(name) not in model.config.norm_names():
                continue
            measure = functools.partial(self._measure, output_scale(name))
            hooks.append(model.get_submodule(name).register_forward_hook(measure))
        for name in model.config.norm_names():
            module = model.get_submodule(name)
            hooks.append(module.register_forward_hook(functools.partial(self._measure, name)))
            hooks.append(
                module.register_forward_pre_hook(
                    lambda _module, inputs: squares.append(inputs[0].square().mean().item())
                )
            )
        with torch.no_grad():
            model(tokens)
        for hook in hooks:
            hook.remove()
        self.residual_rms = math.sqrt(sum(squares) / len(squares))

    def _measure(self, name: str, _module, _inputs, output: Tensor):
        magnitudes = output.relu() if name.endswith("ffn_hidden") else output.abs()
        rank = max(1, round(self._quantile * magnitudes.numel()))
        largest = magnitudes.flatten().kthvalue(rank).values.item()
        self.units[name] = max(largest, 1e-6) / arith.ACT_MAX


def _fit_scores(cfg: ModelConfig, activations: dict[str, float], i: int) -> int:
    """Score shift of layer i; adjusts the scales of q and k so that it is exact."""
    q, k = f"layers.{i}.q", f"layers.{i}.k"
    keys_per_nat = 2**arith.EXP2.FRAC_BITS * math.log2(math.e)
    unit = activations[q] * activations[k] * keys_per_nat / math.sqrt(cfg.head_dim)
    shift = max(0, round(-math.log2(unit)))
    for name in (q, k):
        activations[name] *= math.sqrt(2.0**-shift / unit)
    return shift


def _least_residual_unit(cfg: ModelConfig, steps, activations) -> float:
    """Unit with which MIN_SHIFT is enough for the matrices that write the residual stream."""
    return max(
        steps[name].max().item() * activations[input_scale(name)] * 2**MIN_SHIFT / MULT_START
        for name in cfg.matrix_names()
        if output_scale(name) == "residual"
    )


def _embedding_mult(unit: float, residual_unit: float) -> int:
    return min(max(round(unit / residual_unit), 1), arith.MULT_MAX)


def _matrix_shift(cfg: ModelConfig, name: str, steps, activations) -> int:
    """Shift with which the largest multiplier of the matrix is at most MULT_START."""
    ratio = activations[input_scale(name)] / activations[output_scale(name)]
    shift = math.floor(math.log2(MULT_START / (steps[name].max().item() * ratio)))
    most = MAX_SHIFT if cfg.digits_of(name) == 1 else MAX_MULTI_DIGIT_SHIFT
    return min(max(shift, MIN_SHIFT), most)
