"""Static scales: the real value of one unit of every number of an integer decoder."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from ..contract.decoder.arith import EXP2_FRAC_BITS, GATE_FRAC_BITS, MAX_MULT, limit
from ..contract.decoder.model import MAX_SMALL_SHIFT
from ..floating.decoder_shape import DecoderShape
from ..support.errors import UserError
from .calibration import Ranges
from .choice import Choice

ACTIVATION_FRAC_BITS = 2
"""An activation's output has so many more bits below the point than its input."""


@dataclasses.dataclass(frozen=True, eq=False)
class LayerScales:
    """Real values of one unit in a layer.

    Parameters
    ----------
    attn_norm, ffn_norm, attn, gate, hidden : float (``gate`` is 2**-gate_frac)
    up : float [d_ff] (of no use in a layer that is not gated)
    k, v : float [n_kv_heads * head_dim], as they are cached; k's is one of each pair that RoPE
        turns
    q : float [n_heads * head_dim], the inverse of k's times what makes scores of the products
    score_shift, gate_frac, hidden_shift : int, of the contract
    """

    attn_norm: float
    ffn_norm: float
    attn: float
    gate: float
    up: np.ndarray
    hidden: float
    k: np.ndarray
    v: np.ndarray
    q: np.ndarray
    score_shift: int
    gate_frac: int
    hidden_shift: int


def smallest_unit(largest: float, headroom: float, bits: int) -> float:
    """The unit with which ``largest`` times ``headroom`` just fits ``bits``."""
    return largest * headroom / limit(bits)


def stage_unit(ranges: Ranges, stage: str, headroom: float, bits: int) -> float:
    """:func:`smallest_unit` of a calibrated stage."""
    return smallest_unit(ranges.most(stage), headroom, bits)


def logit_unit(ranges: Ranges, choice: Choice) -> float:
    """Nats per unit of the logits, at least."""
    return stage_unit(ranges, "logits", choice.headroom.logits, choice.bits.logit)


def residual_unit(ranges: Ranges, shape: DecoderShape, choice: Choice) -> float:
    """The residual stream's, at least."""
    stages = [f"layers.{i}.{kind}_residual" for i in range(shape.n_layers) for kind in FFN_ATTN]
    largest = max(ranges.most(stage) for stage in ("embed", *stages))
    return smallest_unit(largest, choice.headroom.residual, choice.bits.residual)


FFN_ATTN = ("attn", "ffn")


def layer_scales(
    ranges: Ranges,
    shape: DecoderShape,
    choice: Choice,
    layer: int,
    norm_units: tuple[float, float],
    factors: np.ndarray | None = None,
) -> LayerScales:
    """Scales of one layer; ``norm_units`` of attn_norm and ffn_norm are given, and ``factors`` by
    which the channels of up and hidden are divided (:mod:`.massive`), or None.

    Raises UserError if the ranges exceed what the contract's shifts can express.
    """
    at, room, bits = f"layers.{layer}.", choice.headroom, choice.bits
    k, q, score_shift = _query_scales(ranges, shape, choice, at)
    v = ranges.largest[f"{at}v"] * room.cache
    v = np.maximum(v, v.max() * 2.0**-12 + 1e-9) / limit(bits.value)
    entry = f"{at}gate" if shape.gated else f"{at}up"
    frac = math.floor(-math.log2(stage_unit(ranges, entry, room.gate, bits.gate)))
    if frac < 0:
        raise UserError(
            f"{entry} reaches {ranges.most(entry):.3g}, which {bits.gate} bits do not hold; give "
            "more bits of gate"
        )
    gate_frac = min(frac, GATE_FRAC_BITS)
    gate = 2.0**-gate_frac
    activated = gate * 2.0**-ACTIVATION_FRAC_BITS
    factors = np.ones(shape.d_ff) if factors is None else factors
    hidden, up = (
        smallest_unit(max(float((ranges.largest[at + stage] / factors).max()), 1e-6), more, width)
        for stage, more, width in (
            ("hidden", room.hidden, bits.hidden),
            ("up", room.up, bits.gate),
        )
    )
    if shape.gated:
        hidden_shift = min(max(math.floor(math.log2(hidden / (activated * up))), 0), 40)
        # what the shift leaves over widens the unit of up, or that of hidden where it is 0
        up = max(up, hidden / (activated * 2.0**hidden_shift))
        hidden = activated * up * 2.0**hidden_shift
    else:
        hidden_shift = min(max(math.ceil(math.log2(hidden / activated)), 0), MAX_SMALL_SHIFT)
        hidden = activated * 2.0**hidden_shift
    return LayerScales(
        attn_norm=norm_units[0],
        ffn_norm=norm_units[1],
        attn=stage_unit(ranges, f"{at}attn", room.attention, bits.attention),
        gate=gate,
        up=up * factors,
        hidden=hidden,
        k=k,
        v=v,
        q=q,
        score_shift=score_shift,
        gate_frac=gate_frac,
        hidden_shift=hidden_shift,
    )


def _query_scales(ranges, shape, choice, at):
    """(k, q, score_shift): the scale of k is folded into q, a power of two remains."""
    k = ranges.largest[f"{at}k"] * choice.headroom.cache
    k = np.maximum(k, k.max() * 2.0**-12 + 1e-9) / limit(choice.bits.key)
    share = shape.n_heads // shape.n_kv_heads
    folded = np.repeat(k.reshape(shape.n_kv_heads, -1), share, axis=0).ravel()
    size = ranges.largest[f"{at}q"] * folded
    if shape.positions == "rotary":  # a pair may turn into either of its channels
        a, b = np.split(size.reshape(shape.n_heads, -1), 2, axis=-1)
        size = np.hypot(a, b)
    least = smallest_unit(max(float(size.max()), 1e-9), choice.headroom.query, choice.bits.query)
    octaves = math.log2(math.e) * 2**EXP2_FRAC_BITS / math.sqrt(shape.head_dim)
    score_shift = min(max(math.floor(-math.log2(least * octaves)), 0), MAX_SMALL_SHIFT)
    unit = 2.0**-score_shift / octaves
    return k, unit / folded, score_shift


def multipliers(scales, most_shift: int) -> tuple[np.ndarray, int]:
    """(mult int64, shift) with ``mult / 2**shift`` nearest to ``scales`` [n], mult below 2**16.

    Raises UserError if the largest scale is 2**16 or more.
    """
    scales = np.asarray(scales, np.float64)
    largest = float(scales.max())
    shift = math.floor(math.log2(MAX_MULT / largest)) if largest > 0 else 0
    if shift < 0:
        raise UserError(
            f"a scale of {largest:.3g} does not fit a multiplier of 16 bits; the model's weights "
            "or ranges are out of proportion"
        )
    shift = min(shift, most_shift)
    return np.rint(scales * 2.0**shift).astype(np.int64), shift


def fixed_point(values, limit_: int, most_shift: int) -> tuple[np.ndarray, int]:
    """(integers int64, shift): ``values`` times 2**-shift... of a bias: the least shift with
    which the integers, shifted up by it, stay within ±``limit_``."""
    values = np.asarray(values, np.float64)
    largest = float(np.abs(values).max())
    shift = max(math.ceil(math.log2(largest / limit_)), 0) if largest > 0 else 0
    shift = min(shift, most_shift)
    return np.clip(np.rint(values / 2.0**shift), -limit_, limit_).astype(np.int64), shift
