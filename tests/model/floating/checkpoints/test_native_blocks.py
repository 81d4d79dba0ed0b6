"""Codes of quantized files: each format gives what gguf's own code gives, bit for bit."""

import numpy as np
import pytest

from gateformer.model.floating.checkpoints.gguf_blocks import DECODERS, split
from gateformer.model.floating.checkpoints.native_blocks import NativeBlocks, as_float

gguf = pytest.importorskip("gguf")
RANGES = {
    "Q8_0": (-128, 127, 8, 32),
    "Q4_0": (-8, 7, 4, 32),
    "Q4_1": (0, 15, 4, 32),
    "Q5_0": (-16, 15, 5, 32),
    "Q5_1": (0, 31, 5, 32),
    "Q4_K": (0, 15, 4, 32),
    "Q5_K": (0, 31, 5, 32),
    "Q6_K": (-32, 31, 6, 16),
}
"""Least and greatest code, bits, group."""
HALVES = {"Q4_1": (0, 2), "Q5_1": (0, 2), "Q4_K": (0, 2), "Q5_K": (0, 2), "Q6_K": (208,)}
"""Where a block has its float16 numbers; elsewhere at 0."""


def random_blocks(kind, rows=5, blocks=3):
    """Blocks of random bytes with finite scales."""
    rng = np.random.default_rng(7)
    size = gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType[kind]][1]
    data = rng.integers(0, 256, (rows, blocks, size), np.uint8)
    for place in HALVES.get(kind, (0,)):
        scales = (rng.normal(size=(rows, blocks, 1)) * 0.1).astype("<f2")
        data[..., place : place + 2] = scales.view(np.uint8)
    return data.reshape(rows, -1)


@pytest.mark.parametrize("kind", DECODERS)
def test_equal_to_gguf_bit_for_bit(kind):
    data = random_blocks(kind, rows=40, blocks=8)
    blocks = split(kind, data)
    expected = gguf.quants.dequantize(data, gguf.GGMLQuantizationType[kind])
    assert blocks.shape == expected.shape
    assert blocks.dequantize().dtype == np.float32
    np.testing.assert_array_equal(blocks.dequantize().view(np.uint32), expected.view(np.uint32))
    low, high, bits, group = RANGES[kind]
    assert (blocks.codes.min(), blocks.codes.max()) == (low, high)
    assert (blocks.bits, blocks.group, blocks.codes.dtype) == (bits, group, np.int8)
    assert (blocks.minimum is None) == (low < 0)
    assert blocks.scale.dtype == np.float32


@pytest.mark.parametrize("kind", ["Q4_0", "Q5_K"])
def test_rows(kind):
    blocks = split(kind, random_blocks(kind))
    chosen = [3, 0, 3]
    np.testing.assert_array_equal(blocks.rows(chosen).dequantize(), as_float(blocks)[chosen])
    np.testing.assert_array_equal(blocks.rows(slice(1, 3)).dequantize(), as_float(blocks)[1:3])


def test_finite():
    blocks = split("Q4_1", random_blocks("Q4_1"))
    assert blocks.is_finite()
    for name in ("scale", "minimum"):
        part = getattr(blocks, name).copy()
        part[4, 1] = np.inf
        parts = {"scale": blocks.scale, "minimum": blocks.minimum, name: part}
        assert not NativeBlocks(blocks.codes, **parts, bits=4, group=32).is_finite()


def test_shapes_must_fit():
    codes, scale = np.zeros((2, 64), np.int8), np.zeros((2, 2), np.float32)
    with pytest.raises(ValueError, match=r"scale must have shape \(2, 2\), not \(2, 1\)"):
        NativeBlocks(codes, scale[:, :1], None, 4, 32)
    with pytest.raises(ValueError, match="60 columns must be a multiple of the group of 32"):
        NativeBlocks(codes[:, :60], scale, None, 4, 32)
