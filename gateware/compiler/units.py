"""The engines of a core, constructed once for the compiler (latencies) and the core (hardware)."""

from __future__ import annotations

import dataclasses

from gateformer.model.contract.integer_model import IntegerModel

from ..engines.array.int8_array import Int8Array
from ..engines.array.pair_array import PairArray
from ..engines.sampler.sampler import Sampler
from ..engines.softmax import Softmax
from ..engines.ternary.engine import TernaryEngine
from ..engines.ternary.packing import weight_format
from ..engines.vector.unit import VectorUnit
from ..parts import dsp48, pair_multiplier
from ..plan.bounds import Bounds
from ..plan.layout import Layout
from ..plan.reload_limits import SCALE_WIDTH, ReloadLimits
from .memory_images import MemoryImages


@dataclasses.dataclass(frozen=True)
class Units:
    """One instance of every engine, sized for a model and a layout."""

    engine: TernaryEngine
    array: Int8Array | PairArray
    softmax: Softmax
    vector: VectorUnit
    sampler: Sampler


def score_shifts(model: IntegerModel, limits: ReloadLimits | None = None) -> tuple[int, ...]:
    """The score shifts that SCORE selects among: those of the layers, or those of ``limits``."""
    if limits is not None:
        return limits.shifts
    return tuple(sorted(set(model.score_shifts)))


def row_depth(layout: Layout) -> int:
    """Number of row addresses that a result of the vector unit may have."""
    return max(layout.array_depth, layout.activation_chunks, layout.query_words)


def column_bits(layout: Layout) -> int:
    """Bits of a result's group within its row.

    With several streams the highest is the lowest of the position, where words have two halves:
    the vector unit has results of other streams when it writes them.
    """
    groups = max(layout.chunk_groups, layout.memory_groups)
    with_position = layout.hw.streams > 1 and layout.halves == 2
    return max((groups - 1).bit_length(), 1) + with_position


def build_units(
    model: IntegerModel,
    layout: Layout,
    images: MemoryImages,
    bounds: Bounds,
    dsp: str,
    limits: ReloadLimits | None = None,
) -> Units:
    """Construct the engines; ``dsp`` is the multiplier family (``"generic"``, ``"dsp48e1"``).

    With ``limits`` their memories can be written.
    """
    writable = limits is not None
    cfg = model.config
    engine = TernaryEngine(
        rows=layout.rows,
        chunk_groups=layout.chunk_groups,
        activation_chunks=layout.activation_chunks,
        weight_words=images.weight_words,
        weight_format=weight_format(layout.hw.packing),
        max_planes=max(digits for _, digits in cfg.digits),
        acc_width=bounds.acc_width,
        tree_levels_per_register=layout.hw.tree_levels,
        writable=writable,
        adders=_adders(dsp),
    )
    array = build_array(layout, images, bounds, dsp)
    softmax = Softmax(
        segments=layout.segments,
        ctx_len=cfg.ctx_len,
        shifts=score_shifts(model, limits),
        dot_width=bounds.dot_width,
        dot_latency=array.dot_latency,
        table_registers=layout.hw.array_registers,
        positions_per_beat=layout.halves,
    )
    vector = VectorUnit(
        rows=layout.rows,
        d_model=cfg.d_model,
        d_groups=layout.residual_groups,
        scale_words=images.scale_words,
        requantize_shift=images.requantize_shift,
        gain_shift=images.gain_shift,
        division_shift=softmax.division_shift,
        acc_width=bounds.acc_width,
        attention_acc_width=bounds.array_acc_width,
        reciprocal_width=softmax.reciprocal_width,
        row_bits=max((row_depth(layout) - 1).bit_length(), 1),
        column_bits=column_bits(layout),
        norm_registers=layout.hw.norm_registers,
        result_registers=layout.hw.result_registers,
        vectors=layout.hw.streams,
        writable_width=SCALE_WIDTH if writable else None,
        dsp=dsp,
    )
    sampler = Sampler(
        vocab_size=cfg.vocab_size,
        logit_width=bounds.logit_width,
        logits_per_beat=layout.halves,
    )
    return Units(engine, array, softmax, vector, sampler)


def _adders(dsp: str) -> str:
    """How the ternary engine adds on devices with these multipliers."""
    if dsp in dsp48.FAMILIES:  # their carry primitives have four bits, or eight as two of four
        return "short"
    return "gated" if dsp in pair_multiplier.CARRY_FAMILIES else "plain"


def build_array(
    layout: Layout, images: MemoryImages, bounds: Bounds, dsp: str
) -> Int8Array | PairArray:
    """The INT8 array: :class:`PairArray` where words have halves."""
    sizes = {
        "rows": layout.rows,
        "word_groups": layout.word_groups,
        "segments": layout.segments,
        "segment_groups": layout.segment_groups,
        "initial_words": images.array_words,
        "acc_width": bounds.array_acc_width,
        "dot_width": bounds.dot_width,
        "dsp": dsp,
        "tree_levels_per_register": layout.hw.tree_levels,
        "beat_registers": layout.hw.array_registers,
    }
    if layout.halves == 1:
        return Int8Array(**sizes, query_words=layout.query_words)
    return PairArray(**sizes)
