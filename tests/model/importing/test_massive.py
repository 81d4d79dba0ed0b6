"""Massive activations of down_proj's input neither saturate nor drown the other channels."""

from __future__ import annotations

import numpy as np
import pytest

from gateformer.model.floating.decoder import FloatDecoder
from gateformer.model.importing.calibration import calibrate
from gateformer.model.importing.choice import Choice
from gateformer.model.importing.massive import channel_factors, noise
from gateformer.model.importing.quantizing import quantize

from .random_source import random_source, random_windows
from .test_native import blocks_of
from .test_quantizing import divergence, float_taps, integer_taps

LEVELS = 2**13


def massive_source(**choices):
    """One channel of layer 0's hidden state is huge at one token, and leaves through weights of
    their usual size times an update of the residual that is large, too."""
    source = random_source(3, d_ff=64, **choices)
    embedding, up = source.tensors["token_embedding"], source.tensors["layers.0.up_proj"]
    gate = source.tensors["layers.0.gate_proj"]
    direction = np.eye(source.shape.d_model, dtype=np.float32)[0]
    embedding[:, 0] = 0
    embedding[7] = 4 * direction  # the token
    gate[5] = up[5] = 120 * direction
    source.tensors["layers.0.down_proj"][:, 5] *= 0.02
    source.tensors["layers.0.o_proj"][0] = 0
    return source


def windows_with_it(source, seed, count):
    windows = random_windows(seed, source, count)
    for window in windows:
        window[window == 7] = 8
        window[0] = 7
    return windows


def test_one_huge_channel_is_lowered_and_the_others_are_not():
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(16, 64))
    largest, ordinary = np.full(64, 3.0), np.ones(64)
    largest[5] = 1e5
    factors = channel_factors(weights, largest, ordinary, LEVELS, 127)
    assert factors[5] > 8 and (np.delete(factors, 5) == 1).all()
    assert noise(largest / factors, ordinary, LEVELS) < 0.2 * noise(largest, ordinary, LEVELS)


def test_like_channels_are_left_alone():
    weights = np.random.default_rng(1).normal(size=(16, 64))
    factors = channel_factors(weights, np.full(64, 5.0), np.ones(64), LEVELS, 127)
    assert (factors == 1).all()


def test_noise_is_that_of_rounding():
    rng = np.random.default_rng(2)
    x = rng.normal(size=(4000, 32))
    unit = np.abs(x).max() / 64
    rounded = np.rint(x / unit) * unit
    measured = np.sqrt(((rounded - x) ** 2).mean() / (x**2).mean())
    largest, ordinary = np.abs(x).max(axis=0), (x**2).mean(axis=0)
    assert noise(largest, ordinary, 64) == pytest.approx(measured, rel=0.02)


def test_ordinary_squares_leave_massive_tokens_out():
    source = massive_source()
    ranges = calibrate(FloatDecoder(source), windows_with_it(source, 1, 4))
    stage = "layers.0.hidden"
    assert ranges.moments[stage][5] > 50 * ranges.ordinary[stage][5]


@pytest.mark.parametrize("native", [False, True])
def test_other_channels_survive(native):
    source = massive_source()
    if native:
        for name in source.shape.tensor_shapes():
            if name.endswith("_proj"):
                source.tensors[name] = blocks_of(source.tensors[name], 6, 32, True)
    ranges = calibrate(FloatDecoder(source), windows_with_it(source, 1, 8))
    model = quantize(source, ranges, Choice(weights="native" if native else "int8"))
    formats = dict(model.config.formats)
    if native:  # only the matrix that would drown loses its codes
        others = {text for name, text in formats.items() if name.endswith("_proj")}
        assert others == {"block:6:32:min", "int8"}
        assert [n for n in model.config.matrix_names() if formats[n] == "int8"] == [
            "layers.0.down_proj"
        ]
    tokens = windows_with_it(source, 2, 1)[0]
    _, integers = integer_taps(model, tokens)
    hidden = float_taps(source, tokens)["layers.0.hidden"]
    found = integers["layers.0.hidden"][1:].astype(float)
    for channel in (0, 9, 40):
        real = hidden[1:, channel]
        scale = (found[:, channel] @ real) / max(found[:, channel] @ found[:, channel], 1e-30)
        error = np.linalg.norm(found[:, channel] * scale - real) / np.linalg.norm(real)
        assert error < 0.1, channel
    assert divergence(source, model).kl < 0.01
