"""Float weights to codes: clipping that pays, error feedback, range."""

from __future__ import annotations

import numpy as np
import pytest

from gateformer.model.contract.decoder.formats import WeightFormat
from gateformer.model.importing.rounding import codes, row_scales


def output_error(weights, rounded, inputs):
    return float((((rounded - weights) @ inputs.T) ** 2).sum())


@pytest.mark.parametrize("text", ["int8", "int6", "int5", "int4", "trits:4", "trits:2", "trits:1"])
def test_codes_stay_in_range_and_clipping_never_loses(text):
    kind = WeightFormat.parse(text)
    weights = np.random.default_rng(0).standard_t(4, (9, 256)).astype(np.float32)
    scales = row_scales(weights, kind)
    found = codes(weights, kind, scales)
    assert kind.low <= found.min() and found.max() <= kind.high
    plain = np.abs(weights).max(axis=1) / kind.high
    error, unclipped = (
        ((codes(weights, kind, s) * s[:, None] - weights) ** 2).sum() for s in (scales, plain)
    )
    assert error <= unclipped * 1.0001
    if text == "int4":
        assert error < 0.8 * unclipped


def test_moments_decide_what_is_clipped():
    """A large weight that meets no input may be clipped; one that meets a large input may not."""
    kind = WeightFormat.parse("int4")
    weights = np.random.default_rng(1).normal(size=(1, 128)).astype(np.float32)
    weights[0, 5] = 6
    moments = np.ones(128)
    heavy, light = moments.copy(), moments.copy()
    heavy[5], light[5] = 1e6, 0
    assert row_scales(weights, kind, heavy)[0] == pytest.approx(6 / 7)
    assert row_scales(weights, kind, light)[0] < 0.75 * 6 / 7


def test_zero_rows_are_zero():
    kind = WeightFormat.parse("int8")
    weights = np.zeros((2, 32), np.float32)
    assert not codes(weights, kind, row_scales(weights, kind)).any()


@pytest.mark.parametrize(
    ("text", "gain"), [("int4", 0.7), ("trits:3", 0.7), ("trits:4", 0.8), ("int8", 0.8)]
)
def test_feedback_lowers_the_error_of_the_output(text, gain):
    rng = np.random.default_rng(2)
    mix = rng.normal(size=(96, 96)) * np.linspace(0.1, 2, 96)
    inputs = rng.normal(size=(2000, 96)) @ mix
    weights = rng.normal(size=(40, 96)).astype(np.float32)
    kind = WeightFormat.parse(text)
    scales = row_scales(weights, kind)
    plain, fed = (
        codes(weights, kind, scales, products) * scales[:, None]
        for products in (None, inputs.T @ inputs / len(inputs))
    )
    assert output_error(weights, fed, inputs) < gain * output_error(weights, plain, inputs)
