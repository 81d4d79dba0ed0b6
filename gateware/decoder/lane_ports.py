"""What goes into the lanes: a beat, and writes to their memories."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.lib import data

from gateformer.model.contract.decoder.matrix import MAX_MIN_SHIFT

from .instruction import Source
from .layout import DecoderLayout
from .weights.weight_store import WeightStore


def beat_layout(layout: DecoderLayout, stores: Sequence[WeightStore]) -> data.StructLayout:
    """Of a beat: ``store`` if there are several, ``min_shift`` if one has minimums."""
    depth = max(*(len(store.words) for store in stores), layout.cache_words)
    members = {
        "valid": 1,
        "source": Source,
        "address": range(depth),
        "activation": range(layout.activation_words),
        "lane": range(layout.lanes),
        "first": 1,
    }
    if len(stores) > 1:
        members["store"] = range(len(stores))
    if any(store.format.minimum for store in stores):
        members["min_shift"] = range(MAX_MIN_SHIFT + 1)
    return data.StructLayout(members)


def write_layout(depth: int, groups: int, bits: int) -> data.StructLayout:
    """Of a write: a lane (``group``) of one of ``depth`` words."""
    return data.StructLayout(
        {"valid": 1, "address": range(depth), "group": range(groups), "data": bits}
    )
