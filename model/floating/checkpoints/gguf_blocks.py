"""Blocks of GGUF's quantized formats, taken apart: codes, scales and minimums.

The layouts are those of ggml's ggml-quants.c: a block has 32 weights, or 256 in the K formats.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .native_blocks import NativeBlocks

BLOCK, LARGE_BLOCK = 32, 256
_SCALES = 12
"""Bytes with eight scales and eight minimums of 6 bits each, in Q4_K and Q5_K."""


def split(kind: str, data: np.ndarray) -> NativeBlocks:
    """A matrix of the format ``kind`` (a key of DECODERS) from uint8 [out, bytes of a row]."""
    return DECODERS[kind](np.asarray(data))


def _q8_0(data: np.ndarray) -> NativeBlocks:
    blocks = data.reshape(len(data), -1, 2 + BLOCK)
    return _native(blocks[..., 2:].view(np.int8), _halves(blocks, 0), None, 8)


def _q4_0(data: np.ndarray) -> NativeBlocks:
    blocks = data.reshape(len(data), -1, 2 + BLOCK // 2)
    return _native(_nibbles(blocks[..., 2:]).view(np.int8) - 8, _halves(blocks, 0), None, 4)


def _q4_1(data: np.ndarray) -> NativeBlocks:
    blocks = data.reshape(len(data), -1, 4 + BLOCK // 2)
    return _native(_nibbles(blocks[..., 4:]), _halves(blocks, 0), _halves(blocks, 2), 4)


def _q5_0(data: np.ndarray) -> NativeBlocks:
    blocks = data.reshape(len(data), -1, 2 + 4 + BLOCK // 2)
    codes = _nibbles(blocks[..., 6:]) | _fifth_bits(blocks[..., 2:6])
    return _native(codes.view(np.int8) - 16, _halves(blocks, 0), None, 5)


def _q5_1(data: np.ndarray) -> NativeBlocks:
    blocks = data.reshape(len(data), -1, 4 + 4 + BLOCK // 2)
    codes = _nibbles(blocks[..., 8:]) | _fifth_bits(blocks[..., 4:8])
    return _native(codes, _halves(blocks, 0), _halves(blocks, 2), 5)


def _q4_k(data: np.ndarray) -> NativeBlocks:
    blocks = data.reshape(len(data), -1, 4 + _SCALES + LARGE_BLOCK // 2)
    codes = _nibbles(blocks[..., 4 + _SCALES :].reshape(*blocks.shape[:2], -1, BLOCK))
    return _native(codes, *_k_scales(blocks), 4)


def _q5_k(data: np.ndarray) -> NativeBlocks:
    blocks = data.reshape(len(data), -1, 4 + _SCALES + LARGE_BLOCK // 8 + LARGE_BLOCK // 2)
    start = 4 + _SCALES + LARGE_BLOCK // 8
    codes = _nibbles(blocks[..., start:].reshape(*blocks.shape[:2], -1, BLOCK))
    high = blocks[..., 4 + _SCALES : start]  # bit i of byte j: of weight j of group i
    bits = (high[..., None, :] >> np.arange(8, dtype=np.uint8)[:, None]) & 1
    return _native(codes.reshape(bits.shape) | bits << 4, *_k_scales(blocks), 5)


def _q6_k(data: np.ndarray) -> NativeBlocks:
    blocks = data.reshape(len(data), -1, LARGE_BLOCK // 2 + LARGE_BLOCK // 4 + 16 + 2)
    low = _nibbles(blocks[..., :128].reshape(*blocks.shape[:2], 2, 64))  # of 128 weights each
    high = blocks[..., 128:192].reshape(*blocks.shape[:2], 2, 1, 32)
    high = (high >> np.arange(0, 8, 2, dtype=np.uint8)[:, None]) & 3
    codes = (low.reshape(high.shape) | high << 4).view(np.int8) - 32
    scale = _halves(blocks, 208) * blocks[..., 192:208].view(np.int8).astype(np.float32)
    return _native(codes, scale, None, 6, 16)


DECODERS: dict[str, Callable[[np.ndarray], NativeBlocks]] = {
    "Q8_0": _q8_0,
    "Q4_0": _q4_0,
    "Q4_1": _q4_1,
    "Q5_0": _q5_0,
    "Q5_1": _q5_1,
    "Q4_K": _q4_k,
    "Q5_K": _q5_k,
    "Q6_K": _q6_k,
}
"""By the names of ggml's types."""


def _native(codes, scale, minimum, bits: int, group: int = BLOCK) -> NativeBlocks:
    rows = len(codes)
    parts = [None if part is None else part.reshape(rows, -1) for part in (scale, minimum)]
    return NativeBlocks(codes.reshape(rows, -1).astype(np.int8, copy=False), *parts, bits, group)


def _halves(blocks: np.ndarray, place: int) -> np.ndarray:
    """The float16 at a place of each block: float32 [out, blocks, 1]."""
    return np.ascontiguousarray(blocks[..., place : place + 2]).view("<f2").astype(np.float32)


def _nibbles(packed: np.ndarray) -> np.ndarray:
    """All lower halves of the last axis' bytes, then all upper ones: twice its length."""
    return np.concatenate([packed & 15, packed >> 4], axis=-1)


def _fifth_bits(packed: np.ndarray) -> np.ndarray:
    """32 bits, the lowest first, each as 0 or 16."""
    return np.unpackbits(packed, axis=-1, bitorder="little") << 4


def _k_scales(blocks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scales and minimums of the eight groups of each block: float32 [out, blocks, 8]."""
    scales, minimums, both = np.split(blocks[..., 4 : 4 + _SCALES], 3, axis=-1)
    upper = (both & 15) | ((scales >> 2) & 48), (both >> 4) | ((minimums >> 2) & 48)
    scales = np.concatenate([scales & 63, upper[0]], axis=-1).astype(np.float32)
    minimums = np.concatenate([minimums & 63, upper[1]], axis=-1).astype(np.float32)
    return _halves(blocks, 0) * scales, -(_halves(blocks, 2) * minimums)
