"""A program without memory contents: exact cycles and units' sizes in milliseconds."""

from __future__ import annotations

import statistics

import numpy as np

from gateformer import gateware
from gateformer.gateware.compiler.memory_images import MatrixPlacement, MemoryImages, matrix_maps
from gateformer.gateware.compiler.program import Program
from gateformer.gateware.parts.elaboration import may_stay_unused
from gateformer.gateware.plan.bounds import Bounds
from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.gateware.plan.layout import Layout
from gateformer.model.contract.integer_model import IntegerModel
from gateformer.model.support.cache import digest
from gateformer.model.support.sources import sources

from ..support.design_digest import code


class SizedProgram(Program):
    """:class:`~gateware.compiler.program.Program` whose weights and embeddings are zeros.

    Nothing else differs: instructions, cycles, scales and every size of the units. Packing the
    weights is most of a program's work, and none of it is needed to compare sizes.

    Parameters
    ----------
    model : IntegerModel
    hw : HwConfig
    bounds : Bounds
        ``prove_bounds(model)``, which is the same for all sizes.
    """

    def __init__(self, model: IntegerModel, hw: HwConfig, bounds: Bounds):
        self.model = model
        self.hw = hw
        self.layout = Layout(model.config, hw)
        self.bounds = bounds
        self.images = _blank_images(model, self.layout)
        self.units = self._units = self.build_units("generic")
        may_stay_unused(*vars(self._units).values())
        self._schedule()

    @property
    def mean_cycles(self) -> float:
        """Cycles per greedy token of a text alone, mean over the context: of whole words of K,
        :meth:`cycles` is linear in between.
        """
        if self.interleaving is not None:
            # where instructions have few beats it is not
            return statistics.fmean(self.cycles_by_position())
        ctx_len = self.model.config.ctx_len
        whole = ctx_len - ctx_len % self.layout.halves
        last = sum(self.cycles(position) for position in range(whole, ctx_len))
        ends = self.cycles(0) + self.cycles(max(whole - 1, 0))
        return (whole * ends / 2 + last) / ctx_len


def _blank_images(model: IntegerModel, layout: Layout) -> MemoryImages:
    """As ``build_images``, the contents of the weight and array memories left out."""
    rows = layout.rows
    requantize_shift = max(m.shift for m in model.matrices.values())
    gain_shift = max(n.shift for n in model.norms.values())
    scales, placements, norms, words, entries = [], {}, {}, 0, 0
    for name, matrix in model.matrices.items():
        row_map, _, row_groups, col_groups = matrix_maps(layout, name)
        chunks = layout.chunks(col_groups)
        placements[name] = MatrixPlacement(words, entries, row_groups, matrix.digits, chunks)
        words += row_groups * matrix.digits * chunks
        entries += row_groups
        mults = np.zeros(row_groups * rows, np.int64)
        mults[row_map] = matrix.mult << (requantize_shift - matrix.shift)
        scales.append(mults.reshape(row_groups, rows))
    for name, norm in model.norms.items():
        norms[name] = entries
        entries += layout.d_groups
        gains = np.zeros(layout.d_groups * rows, np.int64)
        gains[: layout.config.d_model] = norm.gain * 2 ** (gain_shift - norm.shift)
        scales.append(gains.reshape(layout.d_groups, rows))
    return MemoryImages(
        [0] * words,
        np.concatenate(scales).tolist(),
        [0] * layout.array_depth,
        placements,
        norms,
        requantize_shift,
        gain_shift,
    )


def gateware_digest() -> str:
    """Digest of the gateware's sources."""
    return digest(*map(code, sources(gateware)))[:16]
