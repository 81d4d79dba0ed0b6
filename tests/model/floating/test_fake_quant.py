"""Simulated quantization: levels, steps, calibration, and what the file keeps of it."""

import copy

import pytest
import torch

from gateformer.model.contract.decoder.arith import limit
from gateformer.model.floating.fake_quant import (
    Scheme,
    WeightQuantizer,
    activation_steps,
    integer_weights,
    quantize_model,
)
from gateformer.model.support.errors import UserError
from tests.support.float_bench import LAYOUTS, model_of, windows


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("granularity, steps", [("tensor", 1), ("channel", 6)])
def test_weights_become_the_nearest_integer_times_their_step(bits, granularity, steps):
    weight = torch.randn(6, 50, generator=torch.Generator().manual_seed(bits))
    quantizer = WeightQuantizer(weight, bits, granularity)
    assert quantizer.log_step.shape == (steps,)
    step, integers = quantizer.step.detach(), quantizer.integers(weight).detach()
    assert (integers == integers.round()).all()
    assert integers.abs().max() <= limit(bits)
    inside = weight.abs() <= limit(bits) * step
    error = (quantizer(weight) - weight).detach().abs()
    assert (error <= step / 2 + 1e-6)[inside].all()
    assert (integers.abs() == limit(bits))[~inside].all()


def test_rows_of_their_own_steps_lose_less():
    weight = torch.randn(8, 64) * torch.logspace(-2, 0, 8)[:, None]
    errors = [
        (WeightQuantizer(weight, 8, granularity)(weight) - weight).square().mean().item()
        for granularity in ("tensor", "channel")
    ]
    assert errors[1] < errors[0]


def test_the_step_learns():
    weight = torch.nn.Parameter(torch.randn(3, 20))
    quantizer = WeightQuantizer(weight, 4, "channel")
    quantizer(weight).square().sum().backward()
    assert (quantizer.log_step.grad != 0).all()
    assert (weight.grad != 0).any()


def test_activation_steps_are_the_observed_magnitudes():
    model, layout = model_of("relu")
    inputs, _ = windows()
    seen = []
    hook = model.layers[1].k_proj.register_forward_hook(lambda *args: seen.append(args[2]))
    steps = activation_steps(model, layout, Scheme(observer="max"), inputs)
    hook.remove()
    assert steps["layers.1.k"] == pytest.approx(seen[0].abs().max().item() / 127)
    half = activation_steps(model, layout, Scheme(percentile=50), inputs)
    assert half["layers.1.k"] == pytest.approx(seen[0].abs().median().item() / 127)
    assert not model.layers[1].k_proj._forward_hooks


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_matrix_embedding_and_activation_is_quantized(name):
    model, layout = model_of(name)
    inputs, _ = windows()
    expected = model(inputs)
    names = set(model.state_dict())
    errors = []
    for bits in (8, 4, 2):
        quantized = copy.deepcopy(model)
        quantize_model(quantized, layout, Scheme(bits, observer="max"), inputs)
        errors.append((quantized(inputs) - expected).square().mean().item())
    assert 0 < 10 * errors[0] < errors[1] < errors[2]
    made = integer_weights(quantized)
    assert {key for key in names if key.split(".")[-1] != "bias" and "norm" not in key} == set(made)
    assert all(integers.dtype == torch.int8 for integers, _ in made.values())
    quantizers = [key for key, _ in quantized.named_modules() if key.endswith("_quantizer")]
    assert len(quantizers) == len(layout.activations()) == 2 * 7 + 1


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"bits": 1}, "bits must be 2 to 8, not 1"),
        ({"bits": 9}, "bits must be 2 to 8, not 9"),
        ({"granularity": "row"}, "granularity must be one of tensor, channel, not 'row'"),
        ({"observer": "mean"}, "observer must be one of percentile, max, not 'mean'"),
        ({"percentile": 101}, "percentile must be between 50 and 100, not 101"),
    ],
)
def test_bad_scheme(settings, message):
    with pytest.raises(UserError) as error:
        Scheme(**settings)
    assert str(error.value) == message
