"""The codes of a quantized file, kept one by one; only its float scales become integers."""

from __future__ import annotations

import dataclasses

import numpy as np

from ..contract.decoder.formats import WeightFormat
from ..contract.decoder.matrix import MAX_MIN_SHIFT
from ..floating.checkpoints.gguf_model import KIND
from ..floating.checkpoints.native_blocks import NativeBlocks
from ..floating.checkpoints.source import SourceModel
from ..support.errors import UserError

MAX_GROUP_SCALE = 255
MAX_GROUP_MIN = 127


@dataclasses.dataclass(frozen=True, eq=False)
class NativeMatrix:
    """Codes [out, in], group_scale [out, in / group], group_min (or None) and min_shift of a
    contract matrix, and the float scale [out] of a row of its integers."""

    format: WeightFormat
    codes: np.ndarray
    group_scale: np.ndarray
    group_min: np.ndarray | None
    min_shift: int
    row_scale: np.ndarray


def native_matrix(blocks: NativeBlocks) -> NativeMatrix:
    """The blocks of a file as a contract matrix, code for code.

    A group whose scale is negative (as half of a Q4_0 file's) has its codes mirrored: signed ones
    change their sign; where the lowest code forbids that, all codes count from the lowest one and
    every group has a minimum.
    """
    scale, code = blocks.scale.astype(np.float64), blocks.codes.astype(np.int16)
    grouped = code.reshape(len(code), -1, blocks.group)
    minimum = None if blocks.minimum is None else blocks.minimum.astype(np.float64)
    if minimum is None:
        low = -(2 ** (blocks.bits - 1))
        if ((scale < 0) & (grouped.min(axis=-1) == low)).any():
            grouped, minimum = grouped - low, scale * low
        else:
            grouped = np.where((scale < 0)[..., None], -grouped, grouped)
    if minimum is not None:
        top = 2**blocks.bits - 1
        grouped = np.where((scale < 0)[..., None], top - grouped, grouped)
        minimum = np.where(scale < 0, minimum + top * scale, minimum)
    scale = np.abs(scale)
    kind = WeightFormat("block", blocks.bits, blocks.group, minimum is not None)
    flat = grouped.reshape(code.shape).astype(np.int8 if kind.high <= 127 else np.int16)
    if minimum is None:
        row_scale = _positive(scale.max(axis=1)) / MAX_GROUP_SCALE
        group_scale = np.rint(scale / row_scale[:, None]).astype(np.uint8)
        return NativeMatrix(kind, flat, group_scale, None, 0, row_scale)
    best = min(
        (_with_minimums(grouped, scale, minimum, s) for s in range(MAX_MIN_SHIFT + 1)),
        key=lambda found: found[0],
    )
    return NativeMatrix(kind, flat, *best[1:])


def require_codes(source: SourceModel) -> None:
    """Raise UserError unless a matrix of the layers has codes that could be taken over."""
    names = [name for name in source.shape.tensor_shapes() if name.startswith("layers.")]
    if source.kind != KIND or not any(
        isinstance(source.tensors[name], NativeBlocks) for name in names
    ):
        raise UserError(
            f"--bits native: {source.name} has float weights, no codes to take over; choose "
            "--bits 8"
        )


def _with_minimums(grouped, scale, minimum, min_shift: int):
    """(squared error, group_scale, group_min, min_shift, row_scale): the scale of a group makes up
    for the rounding of its minimum."""
    largest = np.maximum(
        scale.max(axis=1) / MAX_GROUP_SCALE,
        np.abs(minimum).max(axis=1) / (MAX_GROUP_MIN << min_shift),
    )
    row_scale = _positive(largest)
    scale, minimum = scale / row_scale[:, None], minimum / row_scale[:, None]
    n, s1 = grouped.shape[-1], grouped.sum(axis=-1, dtype=np.float64)
    s2 = np.einsum("ijk,ijk->ij", grouped, grouped, dtype=np.float64)
    best = None
    for up in (0, 1):
        low = np.clip(np.floor(minimum / 2**min_shift) + up, -MAX_GROUP_MIN - 1, MAX_GROUP_MIN)
        off = low * 2**min_shift - minimum
        # error of a group: sum over its codes of ((g - scale) * code + off)^2
        g = np.rint(scale - off * s1 / np.maximum(s2, 1))
        g = np.clip(g, 0, MAX_GROUP_SCALE)
        error = (g - scale) ** 2 * s2 + 2 * (g - scale) * off * s1 + off**2 * n
        if best is None:
            best = (error, g, low)
        else:
            better = error < best[0]
            best = tuple(np.where(better, a, b) for a, b in zip((error, g, low), best, strict=True))
    error, g, low = best
    total = float((error.sum(axis=1) * row_scale**2).sum())
    return total, g.astype(np.uint8), low.astype(np.int8), min_shift, row_scale


def _positive(values: np.ndarray) -> np.ndarray:
    return np.where(values > 0, values, 1.0)
