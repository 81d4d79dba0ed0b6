"""Bits of the numbers in the lanes."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from gateformer.model.contract.arith import signed_width
from gateformer.model.contract.decoder import arith

from ..parts.integers import ceil_div
from .layout import DecoderLayout
from .weights.weight_store import WeightStore


@dataclasses.dataclass(frozen=True)
class LaneWidths:
    """Signed widths.

    Attributes
    ----------
    code_bits : of a weight
    memory, activation : of the two factors of a lane
    lane, acc : of a lane's number in a MATRIX or SCORE sum, and of what it accumulates
    segment : of a segment's MATRIX sum (without groups) and SCORE sum
    score, total, mean : of a SCORE sum, of a MATRIX sum, of a WEIGH sum
    most_activation : the largest activation of a MATRIX
    """

    code_bits: int
    memory: int
    activation: int
    lane: int
    acc: int
    segment: int
    score: int
    total: int
    mean: int
    most_activation: int

    @classmethod
    def of(
        cls, layout: DecoderLayout, stores: Sequence[WeightStore], most_total: int
    ) -> LaneWidths:
        """``most_total``: the largest sum of a MATRIX if weights have scales of groups."""
        cfg, bits = layout.config, layout.config.bits
        grouped = any(store.format.group for store in stores)
        code_bits = max(store.format.code_width for store in stores)
        inputs = max(bits.norm, bits.attention, bits.hidden)
        product = most_product(code_bits, arith.limit(inputs))
        score = arith.limit(bits.query) * arith.limit(bits.key)
        longest = max(cfg.d_model, cfg.d_ff, cfg.n_heads * cfg.head_dim)
        words = max(ceil_div(longest, store.format.lanes) for store in stores)
        lane_product = product * (1 if grouped else words)
        lane = signed_width(max(lane_product, score * layout.key_words))
        mean = signed_width(arith.PROBABILITY_MAX * arith.limit(bits.value) * cfg.ctx_len)
        return cls(
            code_bits=code_bits,
            memory=max(code_bits, bits.key, bits.value),
            activation=max(inputs, bits.query),
            lane=lane,
            acc=max(lane, mean),
            segment=signed_width(max(lane_product * layout.segment_lanes, score * cfg.head_dim)),
            score=signed_width(score * cfg.head_dim),
            total=signed_width(most_total if grouped else product * longest),
            mean=mean,
            most_activation=arith.limit(inputs),
        )


def most_product(code_bits: int, most_activation: int) -> int:
    """The largest product of a signed code and an activation."""
    return 2 ** (code_bits - 1) * most_activation
