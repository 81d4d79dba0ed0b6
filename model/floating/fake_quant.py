"""Quantization simulated in a float model: integers times a step, gradients straight through.

Symmetric, around zero. Steps may be learned (Esser et al., "Learned Step Size Quantization",
arXiv 1902.08153). Unlike :mod:`model.training.qat_model` this is not the integer function of the
gateware: sums, norms and the softmax stay float.
"""

from __future__ import annotations

import dataclasses
import functools

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from ..contract.decoder.arith import limit
from ..support.errors import UserError
from .calibration import ACTIVATION_QUANTILE, best_step
from .choices import MAX_BITS, MIN_BITS
from .straight_through import quantize
from .structure import Compressible

ACTIVATION_BITS = EMBEDDING_BITS = 8
GRANULARITIES = ("tensor", "channel")
OBSERVERS = ("percentile", "max")
LEAST_STEP = 1e-8


@dataclasses.dataclass(frozen=True)
class Scheme:
    """How a model is quantized.

    Parameters
    ----------
    bits : int, 2 to 8, of the matrices; embeddings and activations have 8
    granularity : "tensor" or "channel": one step per matrix or one per row
    observer : "percentile" or "max": the magnitude that an activation's largest integer stands for
    percentile : float, in per cent, for the observer of that name

    Raises UserError for a value that is none of these.
    """

    bits: int = 8
    granularity: str = "channel"
    observer: str = "percentile"
    percentile: float = 100 * ACTIVATION_QUANTILE

    def __post_init__(self):
        if not MIN_BITS <= self.bits <= MAX_BITS:
            raise UserError(f"bits must be {MIN_BITS} to {MAX_BITS}, not {self.bits}")
        for name, choices in (("granularity", GRANULARITIES), ("observer", OBSERVERS)):
            value = getattr(self, name)
            if value not in choices:
                raise UserError(f"{name} must be one of {', '.join(choices)}, not {value!r}")
        if not 50 <= self.percentile <= 100:
            raise UserError(f"percentile must be between 50 and 100, not {self.percentile:g}")


class WeightQuantizer(nn.Module):
    """Parametrization: a weight [out, …] as integers times a step, one or one per row.

    Starts from the steps of the least squared error.
    """

    def __init__(self, weight: Tensor, bits: int, granularity: str):
        super().__init__()
        self.limit = limit(bits)
        flat = (
            weight.detach().flatten(1) if granularity == "channel" else weight.detach().view(1, -1)
        )
        self.log_step = nn.Parameter(best_step(flat, -self.limit, self.limit).log2())

    @property
    def step(self) -> Tensor:
        """[out, 1] or [1, 1]."""
        return self.log_step.exp2()[:, None]

    def forward(self, weight: Tensor) -> Tensor:
        return self.integers(weight) * self.step

    def integers(self, weight: Tensor) -> Tensor:
        """The weight in steps, as float32 integers."""
        return quantize(weight / self.step, -self.limit, self.limit)


class ActivationQuantizer(nn.Module):
    """An activation as INT8 times one step that was calibrated and may be learned."""

    def __init__(self, step: float):
        super().__init__()
        self.limit = limit(ACTIVATION_BITS)
        self.log_step = nn.Parameter(torch.tensor(max(step, LEAST_STEP)).log2())

    def forward(self, x: Tensor) -> Tensor:
        step = self.log_step.exp2()
        return quantize(x / step, -self.limit, self.limit) * step


def quantize_model(model: nn.Module, layout: Compressible, scheme: Scheme, tokens: Tensor):
    """Put quantizers on the matrices, embeddings and activations of ``model``, in place.

    ``tokens`` int64 [windows, positions] are what activations are calibrated on.
    """
    steps = activation_steps(model, layout, scheme, tokens)
    for name, bits in layout.weights(scheme.bits, EMBEDDING_BITS).items():
        path, _, attribute = name.rpartition(".")
        owner = model.get_submodule(path)
        quantizer = WeightQuantizer(getattr(owner, attribute), bits, scheme.granularity)
        parametrize.register_parametrization(owner, attribute, quantizer)
    attach_activations(model, layout, steps)


def attach_activations(model: nn.Module, layout: Compressible, steps: dict[str, float]):
    """Quantize the activations of ``model`` by the steps of :func:`activation_steps`."""
    for name, (module, side) in layout.activations().items():
        quantizer = ActivationQuantizer(steps[name])
        owner = model.get_submodule(module)
        owner.add_module(f"{side}_quantizer", quantizer)
        if side == "input":
            owner.register_forward_pre_hook(_quantize_input)
        else:
            owner.register_forward_hook(_quantize_output)


def _quantize_input(module, inputs):
    return (module.input_quantizer(inputs[0]),)


def _quantize_output(module, _inputs, output):
    return module.output_quantizer(output)


@torch.no_grad()
def activation_steps(
    model, layout: Compressible, scheme: Scheme, tokens: Tensor
) -> dict[str, float]:
    """Step of every activation by name, measured on ``tokens`` int64 [windows, positions]."""
    largest: dict[str, float] = {}

    def observe(name, x: Tensor):
        magnitudes = x.abs().flatten()
        share = scheme.percentile / 100 if scheme.observer == "percentile" else 1.0
        rank = max(1, round(share * magnitudes.numel()))
        largest[name] = magnitudes.kthvalue(rank).values.item()

    def before(name, _module, inputs):
        observe(name, inputs[0])

    def after(name, _module, _inputs, output):
        observe(name, output)

    hooks = []
    for name, (module, side) in layout.activations().items():
        owner = model.get_submodule(module)
        if side == "input":
            hooks.append(owner.register_forward_pre_hook(functools.partial(before, name)))
        else:
            hooks.append(owner.register_forward_hook(functools.partial(after, name)))
    model.eval()
    model(tokens)
    for hook in hooks:
        hook.remove()
    return {name: value / limit(ACTIVATION_BITS) for name, value in largest.items()}


def integer_weights(model: nn.Module) -> dict[str, tuple[Tensor, Tensor]]:
    """(int8 weight, float32 step) of every quantized weight, by the float model's name."""
    found = {}
    for path, module in model.named_modules():
        for attribute, chain in getattr(module, "parametrizations", {}).items():
            quantizer = chain[0]
            if isinstance(quantizer, WeightQuantizer):
                integers = quantizer.integers(chain.original).detach().to(torch.int8)
                name = f"{path}.{attribute}" if path else attribute
                found[name] = (integers, quantizer.step.detach())
    return found


def learned_activation_steps(model: nn.Module, layout: Compressible) -> dict[str, float]:
    """Present step of every activation, by name."""
    return {
        name: model.get_submodule(f"{module}.{side}_quantizer").log_step.exp2().item()
        for name, (module, side) in layout.activations().items()
    }
