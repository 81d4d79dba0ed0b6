"""Initial contents of the core's memories, from the trained integers."""

from __future__ import annotations

import dataclasses

import numpy as np

from gateformer.model.contract.integer_model import IntegerModel
from gateformer.model.contract.trit_codec import to_digits

from ..engines.ternary.packing import weight_format
from ..plan.layout import Layout
from ..plan.reload_limits import ReloadLimits


@dataclasses.dataclass(frozen=True)
class MatrixPlacement:
    """Where a matrix lies and how the program walks it.

    ``address`` is its first weight word; it has ``groups`` row groups of ``planes`` trit planes
    of ``chunks`` column chunks, one word each, in this nesting. ``scale`` is the scale memory's
    first entry, one per row group.
    """

    address: int
    scale: int
    groups: int
    planes: int
    chunks: int


@dataclasses.dataclass(frozen=True)
class MemoryImages:
    """Contents of the three initialized memories.

    Attributes
    ----------
    weight_words : list of int, one per weight word (``rows * cols`` trits, packed)
    scale_words : list of lists of ``rows`` int, widened requantizer multipliers and norm gains
    array_words : list of int, INT8 lanes with lane 0 in the lowest byte, the second half's lanes
        above; K and V are 0
    matrices : dict of matrix name to MatrixPlacement
    norms : dict of norm name to its first entry in ``scale_words`` (``d_groups`` entries)
    requantize_shift, gain_shift : int, the constant shifts of the widened multipliers and gains
    """

    weight_words: list[int]
    scale_words: list[list[int]]
    array_words: list[int]
    matrices: dict[str, MatrixPlacement]
    norms: dict[str, int]
    requantize_shift: int
    gain_shift: int


def matrix_maps(layout: Layout, name: str) -> tuple[np.ndarray, np.ndarray, int, int]:
    """(row places, column places, row groups, column groups) of a matrix in the layout."""
    cfg = layout.config
    linear = layout.linear_map(cfg.d_model)
    hidden = layout.linear_map(cfg.d_ff)
    match name.rsplit(".", 1)[1]:
        case "o_proj":
            return linear, layout.head_map, layout.d_groups, layout.kv_groups
        case "up_proj":
            return hidden, linear, layout.ff_groups, layout.d_groups
        case "down_proj":
            return linear, hidden, layout.d_groups, layout.ff_groups
        case _:
            return layout.head_map, linear, layout.kv_groups, layout.d_groups


def build_images(
    model: IntegerModel, layout: Layout, limits: ReloadLimits | None = None
) -> MemoryImages:
    """Memory images of ``model`` on the layout's hardware.

    The constant shifts are those of ``limits``; without it, as small as the model allows.
    """
    rows, cols = layout.rows, layout.hw.cols
    packer = weight_format(layout.hw.packing)
    requantize_shift = max(m.shift for m in model.matrices.values())
    gain_shift = max(n.shift for n in model.norms.values())
    if limits is not None:
        requantize_shift, gain_shift = limits.requantize_shift, limits.gain_shift
    weight_words, scale_words, placements, norms = [], [], {}, {}
    for name, matrix in model.matrices.items():
        row_map, col_map, row_groups, col_groups = matrix_maps(layout, name)
        chunks = layout.chunks(col_groups)
        padded = np.zeros((row_groups * rows, chunks * cols), np.int64)
        padded[np.ix_(row_map, col_map)] = matrix.weight
        planes = to_digits(padded, matrix.digits).reshape(
            matrix.digits, row_groups, rows, chunks, cols
        )
        placements[name] = MatrixPlacement(
            len(weight_words), len(scale_words), row_groups, matrix.digits, chunks
        )
        # one word per (row group, plane, chunk): the order in which the engine walks them
        beats = planes.transpose(1, 0, 3, 2, 4).reshape(-1, rows, cols)
        weight_words += packer.pack(beats)
        mults = np.zeros(row_groups * rows, np.int64)
        mults[row_map] = matrix.mult << (requantize_shift - matrix.shift)
        scale_words += mults.reshape(row_groups, rows).tolist()
    for name, norm in model.norms.items():
        norms[name] = len(scale_words)
        gains = np.zeros(layout.d_groups * rows, np.int64)
        # widened by multiplication: a gain may be negative
        gains[: layout.config.d_model] = norm.gain * 2 ** (gain_shift - norm.shift)
        scale_words += gains.reshape(layout.d_groups, rows).tolist()
    return MemoryImages(
        weight_words,
        scale_words,
        _array_words(model, layout),
        placements,
        norms,
        requantize_shift,
        gain_shift,
    )


def _array_words(model: IntegerModel, layout: Layout) -> list[int]:
    tables = [model.token_embedding, model.position_embedding]
    if layout.halves == 1:
        words = np.concatenate([_padded(table, layout) for table in tables])
    else:
        head, *lookup = (_padded(table, layout) for table in (tables[0], *tables))
        words = np.concatenate([head, *(_looked_up(table, layout) for table in lookup)])
    image = [int.from_bytes(word.tobytes(), "little") for word in words]
    return image + [0] * (layout.array_depth - len(image))


def _padded(table: np.ndarray, layout: Layout) -> np.ndarray:
    """int8 [words, lanes of all halves]: rows padded to words, an odd number of them to halves."""
    rows = -(-len(table) // layout.halves) * layout.halves
    padded = np.zeros((rows, layout.embed_words * layout.lanes), np.int8)
    padded[: len(table), : table.shape[1]] = table
    return padded.reshape(-1, layout.halves * layout.lanes)


def _looked_up(words: np.ndarray, layout: Layout) -> np.ndarray:
    """The words of two rows each, as weighted mode takes them."""
    groups = words.reshape(len(words), layout.halves, layout.word_groups, layout.rows)
    moved = np.zeros((len(words), layout.memory_groups, layout.rows), np.int8)
    for second in range(layout.halves):
        for group in range(layout.word_groups):
            moved[:, layout.value_group(group, second)] = groups[:, second, group]
    return moved.reshape(len(words), -1)
