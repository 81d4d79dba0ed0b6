"""Every operation of contract version 2, defined once (docs/number_contract_2.md).

Arrays are int64 unless said otherwise; an artifact's bounds (:mod:`.model`) keep every number
below 2**63. ``Count`` functions learn how many values were limited: bad calibration shows there.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import numpy as np

from ..arith import round_shift

Count = Callable[[int, int], None]
"""Called with (values that were limited, all values) by what saturates."""

MULT_BITS = 16
MAX_MULT = 2**MULT_BITS - 1
MAX_ROW_BOUND = 2**46
"""Every sum of \\|weight\\| times largest activation is below it."""
MAX_SQUARES = 2**62
"""2^(2 * residual bits) * d_model is below it."""

NORM_FRAC_BITS = 12
NORM_INDEX_BITS = 11
ROTARY_BITS = 14
"""Cosines and sines: 1 is 2**14."""
MEAN_BITS = 23
"""Of the reciprocal of d_model that LayerNorm's mean takes."""

EXP2_FRAC_BITS = 8
"""Scores are in 1/256 octaves."""
PROBABILITY_MAX = 32767
EXP2_OCTAVES = 16
RECIPROCAL_BITS = 16
RECIPROCAL_INDEX_BITS = 10
MEAN_V_BITS = 8
"""Attention's mean of v has 8 bits below the point before its last multiplication."""

GATE_ONE = 1 << 16
GATE_STEP_BITS = 9
"""The table of a gate function has an entry every 2**9 of 2**14, 1/32."""
GATE_FRAC_BITS = 14
GATE_ENTRIES = 512
GATE_OUT_SHIFT = 14


def limit(bits: int) -> int:
    """Largest magnitude of a signed number of ``bits``: 2**(bits-1) - 1."""
    return 2 ** (bits - 1) - 1


def clamp(value, bits: int, count: Count | None = None) -> np.ndarray:
    """``value`` limited to ±limit(bits)."""
    value = np.asarray(value, np.int64)
    most = limit(bits)
    if count is not None:
        count(int(np.count_nonzero((value > most) | (value < -most))), value.size)
    return np.clip(value, -most, most)


def requantize(product, shift: int, bits: int, count: Count | None = None) -> np.ndarray:
    """A product (accumulator times multiplier, plus bias) as a number of ``bits``."""
    return clamp(round_shift(product, shift), bits, count)


# Norms


def mean_reciprocal(d_model: int) -> tuple[int, int]:
    """(c, shift): the mean of d numbers is ``round_shift(sum * c, shift)``."""
    shift = MEAN_BITS + (d_model - 1).bit_length()
    return round(2**shift / d_model), shift


def subtract_mean(x) -> np.ndarray:
    """x [..., d_model] minus its rounded mean."""
    x = np.asarray(x, np.int64)
    c, shift = mean_reciprocal(x.shape[-1])
    return x - round_shift(x.sum(axis=-1, keepdims=True) * c, shift)


@functools.cache
def rsqrt_table(d_model: int) -> np.ndarray:
    """r for index 0..2047; entries below 512 are never selected and are 0."""
    low = 2 ** (NORM_INDEX_BITS - 2)
    index = np.arange(low, 2**NORM_INDEX_BITS)
    r = np.rint(2**NORM_FRAC_BITS * np.sqrt(d_model * low / (index + 0.5)))
    return np.concatenate([np.zeros(low, np.int64), r.astype(np.int64)])


def floor_log2(value) -> np.ndarray:
    """Exact floor(log2(value)) of positive integers below 2**63."""
    value = np.asarray(value, np.int64)
    guess = np.frexp(value.astype(np.float64))[1].astype(np.int64) - 1
    return guess - ((value >> np.minimum(guess, 62)) == 0)  # float64 may round up to a power


def normalize(x, eps: int) -> np.ndarray:
    """u = 4096 * x / rms of x [..., d_model]."""
    x = np.asarray(x, np.int64)
    s = np.maximum((x * x).sum(axis=-1, keepdims=True) + eps, 1)
    e = floor_log2(s) // 2
    up = NORM_INDEX_BITS - 2 - 2 * e
    index = (s << np.maximum(up, 0)) >> np.maximum(-up, 0)
    return round_shift(x * rsqrt_table(x.shape[-1])[index], e)


def norm_output(
    u, gain, bias, bias_shift: int, shift: int, bits: int, count: Count | None = None
) -> np.ndarray:
    """What a norm gives: u times gain, plus bias (or None)."""
    product = np.asarray(u, np.int64) * gain
    if bias is not None:
        product = product + (np.asarray(bias, np.int64) << bias_shift)
    return requantize(product, shift, bits, count)


# Positions


def rotate(x, cos, sin, shift: int, bits: int, count: Count | None = None) -> np.ndarray:
    """Heads x [..., head_dim] turned by cos, sin [..., head_dim / 2] (1 is 2**14)."""
    a, b = np.split(np.asarray(x, np.int64), 2, axis=-1)
    turned = np.concatenate([a * cos - b * sin, b * cos + a * sin], axis=-1)
    return requantize(turned, shift, bits, count)


# Attention


@functools.cache
def exp2_mantissas() -> np.ndarray:
    """m[i] = round(32767 * 2**(-i / 256)), i = 0..255."""
    size = 2**EXP2_FRAC_BITS
    return np.rint(PROBABILITY_MAX * np.exp2(-np.arange(size) / size)).astype(np.int64)


def exp2(t) -> np.ndarray:
    """32767 * 2**(-t / 256) for t of at least 0; 0 from 16 octaves on."""
    t = np.asarray(t, np.int64)
    octave = t >> EXP2_FRAC_BITS
    p = round_shift(exp2_mantissas()[t & (2**EXP2_FRAC_BITS - 1)], np.minimum(octave, 62))
    return np.where(octave < EXP2_OCTAVES, p, 0)


@functools.cache
def reciprocal_table() -> np.ndarray:
    """round(65536 / (1 + (i + 1/2) / 1024)), i = 0..1023."""
    size = 2**RECIPROCAL_INDEX_BITS
    index = (np.arange(size) + 0.5) / size
    return np.rint(2**RECIPROCAL_BITS / (1 + index)).astype(np.int64)


def mean_of_values(acc, total) -> np.ndarray:
    """256 * acc / total, for sums acc of probability times v, and total of the probabilities."""
    total = np.asarray(total, np.int64)
    e = floor_log2(total)
    up = RECIPROCAL_INDEX_BITS - e
    index = (total << np.maximum(up, 0)) >> np.maximum(-up, 0)
    r = reciprocal_table()[index - 2**RECIPROCAL_INDEX_BITS]
    return round_shift(np.asarray(acc, np.int64) * r, RECIPROCAL_BITS - MEAN_V_BITS + e)


# Feed-forward


def _logistic(z: float) -> float:
    return 1 / (1 + math.exp(-z))


def _normal(z: float) -> float:
    return (1 + math.erf(z / math.sqrt(2))) / 2


def _normal_tanh(z: float) -> float:
    return (1 + math.tanh(math.sqrt(2 / math.pi) * (z + 0.044715 * z**3))) / 2


GATE_FUNCTIONS = {
    "relu": lambda z: 1.0,
    "silu": _logistic,
    "gelu": _normal,
    "gelu_tanh": _normal_tanh,
}
"""F: the share of z >= 0 that an activation lets pass."""


@functools.cache
def gate_table(activation: str) -> np.ndarray:
    """T[i] = round(65536 * F(i / 32)), i = 0..512; T[512] is 65536."""
    share = GATE_FUNCTIONS[activation]
    step = 2**GATE_STEP_BITS / 2**GATE_FRAC_BITS
    table = [round(GATE_ONE * share(i * step)) for i in range(GATE_ENTRIES)]
    return np.array([*table, GATE_ONE], np.int64)


def gate_share(g, gate_frac: int, activation: str) -> np.ndarray:
    """G of g, which is in units of 2**-gate_frac: 0..65536."""
    g = np.asarray(g, np.int64)
    w = np.abs(g) << (GATE_FRAC_BITS - gate_frac)
    index = np.minimum(w >> GATE_STEP_BITS, GATE_ENTRIES - 1)
    table = gate_table(activation)
    rest = w & (2**GATE_STEP_BITS - 1)
    share = table[index] + round_shift((table[index + 1] - table[index]) * rest, GATE_STEP_BITS)
    share = np.where(w >> GATE_STEP_BITS >= GATE_ENTRIES, GATE_ONE, share)
    return np.where(g < 0, GATE_ONE - share, share)


def activate(g, gate_frac: int, activation: str) -> np.ndarray:
    """y = g * G(g), in units of 2**-(gate_frac + 2)."""
    g = np.asarray(g, np.int64)
    return round_shift(g * gate_share(g, gate_frac, activation), GATE_OUT_SHIFT)
