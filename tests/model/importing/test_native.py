"""The codes of a quantized file are kept one by one."""

from __future__ import annotations

import numpy as np
import pytest

from gateformer.model.contract.decoder.reference import window_logits
from gateformer.model.floating.checkpoints.native_blocks import NativeBlocks
from gateformer.model.floating.decoder import FloatDecoder
from gateformer.model.importing.calibration import calibrate
from gateformer.model.importing.choice import Choice
from gateformer.model.importing.matrices import integer_matrix
from gateformer.model.importing.native import native_matrix
from gateformer.model.importing.quantizing import quantize

from .random_source import random_source, random_windows


def blocks_of(weights: np.ndarray, bits: int, group: int, minimum: bool, signs=1.0):
    """Blocks as ggml makes them: with minimums from the smallest weight, else around 0."""
    w = weights.reshape(len(weights), -1, group).astype(np.float64)
    if minimum:
        low = w.min(axis=-1)
        scale = np.maximum((w.max(axis=-1) - low) / (2**bits - 1), 1e-9)
        codes = np.rint((w - low[..., None]) / scale[..., None])
    else:
        low, scale = None, np.abs(w).max(axis=-1) / (2 ** (bits - 1) - 1) * signs
        codes = np.rint(w / scale[..., None])
    return NativeBlocks(
        codes.reshape(weights.shape).astype(np.int8),
        scale.astype(np.float32),
        None if low is None else low.astype(np.float32),
        bits,
        group,
    )


def weights_of(matrix, in_unit=1.0, out_unit=1.0):
    """The real weights that a contract matrix stands for."""
    return matrix.weight() * (matrix.mult * 2.0**-matrix.shift / in_unit * out_unit)[:, None]


@pytest.mark.parametrize(
    ("bits", "group", "minimum", "text"),
    [
        (4, 32, True, "block:4:32:min"),
        (5, 32, True, "block:5:32:min"),
        (4, 32, False, "block:4:32"),
        (8, 32, False, "block:8:32"),
        (6, 16, False, "block:6:16"),
    ],
)
def test_codes_are_the_files_and_scales_within_a_step(bits, group, minimum, text):
    weights = np.random.default_rng(0).normal(size=(7, 96))
    blocks = blocks_of(weights, bits, group, minimum)
    matrix = integer_matrix(blocks, "native", 2.0**-12, 2.0**-10)
    assert str(matrix.format) == text
    assert np.array_equal(matrix.codes, blocks.codes)
    error = weights_of(matrix, 2.0**-12, 2.0**-10) - blocks.dequantize()
    step = blocks.scale.max()
    assert np.sqrt((error**2).mean()) < 0.03 * step


def test_minimums_that_few_bits_round_are_made_up_for_by_scales():
    rng = np.random.default_rng(1)
    weights = rng.normal(size=(16, 64)) * rng.uniform(0.2, 2, (16, 1))
    weights[:, :32] *= 8  # groups of one row differ
    blocks = blocks_of(weights, 4, 32, True)
    found = native_matrix(blocks)
    rounded = weights_of(integer_matrix(blocks, "native", 1.0, 1.0))
    plain = blocks.scale.astype(float) / found.row_scale[:, None]
    low = np.rint(blocks.minimum / found.row_scale[:, None] / 2**found.min_shift)
    apart = (
        np.rint(plain)[..., None] * blocks.codes.reshape(16, 2, 32)
        + (low * 2.0**found.min_shift)[..., None]
    ) * found.row_scale[:, None, None]
    exact = blocks.dequantize()
    together = ((rounded - exact) ** 2).sum()
    assert together < 0.8 * ((apart.reshape(exact.shape) - exact) ** 2).sum()


def test_negative_scales_mirror_their_codes():
    weights = np.random.default_rng(2).normal(size=(4, 64))
    signs = np.where(np.arange(8).reshape(4, 2) % 2, -1.0, 1.0)
    blocks = blocks_of(weights, 5, 32, False, signs)
    found = native_matrix(blocks)
    assert str(found.format) == "block:5:32"
    mirrored = blocks.codes.reshape(4, 2, 32) * signs[..., None]
    assert np.array_equal(found.codes, mirrored.reshape(4, 64))


@pytest.mark.parametrize("bits", [4, 8])
def test_the_lowest_code_with_a_negative_scale_takes_minimums(bits):
    """Q4_0 files: the largest weight of a block has the lowest code, whatever its sign."""
    low = -(2 ** (bits - 1))
    rng = np.random.default_rng(3)
    codes = rng.integers(low, -low, (4, 64)).astype(np.int8)
    codes[:, ::32] = low
    scale = rng.uniform(0.5, 1, (4, 2)) * np.where(np.arange(8).reshape(4, 2) % 2, -1, 1)
    blocks = NativeBlocks(codes, scale.astype(np.float32), None, bits, 32)
    matrix = integer_matrix(blocks, "native", 1.0, 1.0)
    assert str(matrix.format) == f"block:{bits}:32:min"
    positive = np.repeat(scale > 0, 32, axis=1)
    expected = np.where(positive, codes.astype(int) - low, -low - 1 - codes.astype(int))
    assert np.array_equal(matrix.codes, expected)
    error = weights_of(matrix) - blocks.dequantize()
    assert np.sqrt((error**2).mean()) < 0.05 if bits == 4 else 0.5


def test_a_native_model_has_the_files_codes_and_function():
    source = random_source(4)
    for name in source.shape.tensor_shapes():
        if name.startswith("layers.") and name.endswith("_proj"):
            source.tensors[name] = blocks_of(source.tensors[name], 4, 32, True)
    windows = random_windows(1, source, 8)
    ranges = calibrate(FloatDecoder(source), windows)
    model = quantize(source, ranges, Choice(weights="native", head="native"))
    for name in model.config.matrix_names():
        assert model.config.format_of(name) == "block:4:32:min"
        assert np.array_equal(model.matrices[name].codes, source.tensors[name].codes)
    assert model.config.format_of("token_embedding") == "int8"  # the file has floats there
    tokens = random_windows(2, source, 1)[0][None]
    expected = FloatDecoder(source).logits(tokens)
    off = window_logits(model, tokens) * model.logit_scale - expected
    assert np.sqrt((off**2).mean()) < 0.04 * expected.std()
