"""Gradients of quantized weights, against their definitions."""

import pytest
import torch

from gateformer.model.floating.straight_through import quantize, quantize_weight


@pytest.mark.parametrize(("low", "high"), [(-1, 1), (-4, 4), (-2, 1)])
def test_weights_beyond_the_limits_have_a_gradient(low, high):
    generator = torch.Generator().manual_seed(1)
    results = []
    weight = 2 * high * torch.randn(5, 7, generator=generator)
    step = 0.5 + torch.rand(5, 1, generator=generator)
    direction = torch.randn(5, 7, generator=generator)
    for function in (
        quantize_weight,
        lambda w, s, low, high: quantize(w / s, low, high),
    ):
        w, s = (tensor.clone().requires_grad_() for tensor in (weight, step))
        integers = function(w, s, low, high)
        (integers * direction).sum().backward()
        results.append((integers.detach(), w.grad, s.grad))
    (integers, passed, of_step), (same, clipped, of_step_too) = results
    assert torch.equal(integers, same)
    assert torch.equal(integers, (weight / step).round().clamp(low, high))
    outside = (weight / step < low) | (weight / step > high)
    assert outside.any() and not outside.all()
    torch.testing.assert_close(passed, direction / step)
    torch.testing.assert_close(clipped, (direction / step).masked_fill(outside, 0))
    torch.testing.assert_close(of_step, of_step_too)
