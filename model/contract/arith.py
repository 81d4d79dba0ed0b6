"""The integer contract: every arithmetic operation of the model, defined once.

Training, the numpy reference, the memory packer and the gateware use these objects; no other
file rounds, shifts or saturates by hand. All arrays are integers; :mod:`gateware.plan.bounds`
proves how wide every accumulator must be.

Rounding is half up everywhere: ``(x + 2**(shift-1)) >> shift``.
"""

from __future__ import annotations

import dataclasses
import functools
import math

import numpy as np

SPEC_VERSION = 1
"""Version of this contract; stored in artifacts, refused when it differs."""

ACT_BITS = 8
ACT_MAX = 127
"""Activations that enter a matrix are in -127..127; after ReLU in 0..127."""

RESIDUAL_BITS = 16
RESIDUAL_MAX = 32767
"""The residual stream is in -32767..32767."""

MULT_BITS = 8
MULT_MAX = 255
"""Requantizer multipliers are 0..255, so that float32 holds ``acc * mult`` below 2**24 exactly."""

MAX_SHIFT = 31
"""Largest right shift of a requantizer."""


def max_weight(digits: int) -> int:
    """Largest weight of ``digits`` balanced-ternary digits: 1, 4, 13, 40, 121."""
    return (3**digits - 1) // 2


def signed_width(bound: int) -> int:
    """Bits of the two's complement signal that holds every integer in -bound..bound."""
    return int(bound).bit_length() + 1


def round_shift(value, shift):
    """``value / 2**shift`` rounded half up; ``shift`` 0 changes nothing."""
    value = np.asarray(value, dtype=np.int64)
    shift = np.asarray(shift, dtype=np.int64)
    half = np.where(shift > 0, np.int64(1) << np.maximum(shift - 1, 0), 0)
    return (value + half) >> shift


def half(shift: int) -> int:
    """What :func:`round_shift` adds before the shift."""
    return 2 ** (shift - 1) if shift else 0


def saturate(value, low: int, high: int):
    """``value`` limited to low..high."""
    return np.clip(value, low, high)


@dataclasses.dataclass(frozen=True)
class Requantizer:
    """``clamp((acc * mult + half) >> shift, low, high)``: accumulator to activation.

    ``mult`` is an unsigned 8-bit integer per row (per output channel), ``shift`` one per matrix.
    """

    shift: int
    low: int
    high: int

    def __post_init__(self):
        if not 0 <= self.shift <= MAX_SHIFT:
            raise ValueError(f"shift must be 0 to {MAX_SHIFT}, not {self.shift!r}")

    def __call__(self, acc, mult):
        product = np.asarray(acc, np.int64) * np.asarray(mult, np.int64)
        return saturate(round_shift(product, self.shift), self.low, self.high)


def to_activation(shift: int) -> Requantizer:
    """Requantizer to INT8 activations."""
    return Requantizer(shift, -ACT_MAX, ACT_MAX)


def to_relu(shift: int) -> Requantizer:
    """Requantizer to INT8 activations after ReLU."""
    return Requantizer(shift, 0, ACT_MAX)


def to_residual(shift: int) -> Requantizer:
    """Requantizer to an increment of the residual stream, for :func:`add_residual`."""
    return Requantizer(shift, -RESIDUAL_MAX, RESIDUAL_MAX)


def add_residual(residual, increment):
    """Residual plus increment, saturated to 16 bits."""
    total = np.asarray(residual, np.int64) + np.asarray(increment, np.int64)
    return saturate(total, -RESIDUAL_MAX, RESIDUAL_MAX)


def embed(token_row, position_row, token_mult: int, position_mult: int):
    """Residual stream of one position from INT8 embedding rows and two multipliers (1..255)."""
    total = np.asarray(token_row, np.int64) * token_mult
    total = total + np.asarray(position_row, np.int64) * position_mult
    return saturate(total, -RESIDUAL_MAX, RESIDUAL_MAX)


@dataclasses.dataclass(frozen=True)
class RMSNorm:
    """Root-mean-square normalization by a normalized-mantissa table.

    With S the exact sum of squares (0 counts as 1) and ``e = floor(log4(S))``, the top eight bits
    of ``S / 4**e`` (``index``, 64..255) select ``r = round(2**8 * sqrt(d / m))``, m the middle of
    the bin; ``r / 2**e`` is ``256 / rms`` to better than 1 % for every S, ``u`` is the rounded
    ``(x * r + half) >> e``, and the output is ``clamp((u * gain + half) >> shift)`` with a signed
    8-bit gain per channel.
    """

    d_model: int
    shift: int

    FRAC_BITS = 8
    INDEX_BITS = 8

    @functools.cached_property
    def table(self) -> np.ndarray:
        """r for index 0..255; entries below 64 are never selected and are 0."""
        index = np.arange(64, 256)
        r = np.rint(2**self.FRAC_BITS * np.sqrt(self.d_model * 64.0 / (index + 0.5)))
        return np.concatenate([np.zeros(64, np.int64), r.astype(np.int64)])

    @property
    def max_exponent(self) -> int:
        return ((self.d_model * RESIDUAL_MAX**2).bit_length() - 1) // 2

    @property
    def max_normalized(self) -> int:
        """Bound of \\|u\\|: sqrt(d) is the largest x / rms; the table may exceed it by 1 %."""
        return math.ceil(1.01 * 2**self.FRAC_BITS * math.sqrt(self.d_model)) + 1

    def exponent_and_index(self, sum_of_squares):
        """(e, index) of S; arrays or integers."""
        s = np.maximum(np.asarray(sum_of_squares, np.int64), 1)
        e = (_floor_log2(s)) // 2
        up = np.maximum(3 - e, 0)
        down = np.maximum(e - 3, 0)
        return e, (s << (2 * up)) >> (2 * down)

    def normalize(self, x):
        """u for the residual vectors ``x`` [..., d_model]."""
        x = np.asarray(x, np.int64)
        e, index = self.exponent_and_index(np.sum(x * x, axis=-1, keepdims=True))
        return round_shift(x * self.table[index], e)

    def __call__(self, x, gain):
        u = self.normalize(x)
        return saturate(round_shift(u * np.asarray(gain, np.int64), self.shift), -ACT_MAX, ACT_MAX)


def _floor_log2(value):
    """Exact floor(log2(value)) of positive integers below 2**53."""
    return np.frexp(np.asarray(value, np.float64))[1].astype(np.int64) - 1


@dataclasses.dataclass(frozen=True)
class Exp2:
    """``p = round(255 * 2**(-t / 32))`` for t = 0..511, unsigned 8 bits; larger t count as 511.

    The unit of t is 1/32 octave: the table is the base-2 exponential of softmax and of sampling.
    """

    FRAC_BITS = 5
    INDEX_BITS = 9
    OUT_BITS = 8

    @functools.cached_property
    def table(self) -> np.ndarray:
        t = np.arange(2**self.INDEX_BITS)
        return np.rint(255 * np.exp2(-t / 2**self.FRAC_BITS)).astype(np.int64)

    @property
    def max_index(self) -> int:
        return 2**self.INDEX_BITS - 1

    def __call__(self, distance):
        return self.table[np.minimum(np.asarray(distance, np.int64), self.max_index)]


EXP2 = Exp2()


@dataclasses.dataclass(frozen=True)
class Softmax:
    """Attention weights in base 2 and the division after the weighted sum of V.

    ``s = (q . k + half) >> shift`` is in 1/32 octaves; ``p = exp2(max(s) - s)``; the sum of p is
    exact. With ``e = floor(log2(sum))`` and the eight bits below the leading one as index,
    ``r = round(2**9 / (1 + (index + 0.5) / 256))`` and the output is
    ``clamp((acc * r + half) >> (9 + e))`` with ``acc`` = sum of p * v.
    """

    shift: int

    RECIPROCAL_BITS = 9
    INDEX_BITS = 8
    MIN_EXPONENT = 7

    def __post_init__(self):
        if not 0 <= self.shift <= MAX_SHIFT:
            raise ValueError(f"shift must be 0 to {MAX_SHIFT}, not {self.shift!r}")

    @functools.cached_property
    def table(self) -> np.ndarray:
        """Reciprocal mantissa r for index 0..255, in 256..511."""
        index = np.arange(2**self.INDEX_BITS)
        return np.rint(2**self.RECIPROCAL_BITS / (1 + (index + 0.5) / 2**self.INDEX_BITS)).astype(
            np.int64
        )

    def scores(self, dot):
        return round_shift(dot, self.shift)

    def probabilities(self, scores):
        """p of the scores along the last axis."""
        scores = np.asarray(scores, np.int64)
        return EXP2(scores.max(axis=-1, keepdims=True) - scores)

    def exponent_and_index(self, total):
        """(e, index) of the sum of p (at least 255)."""
        total = np.asarray(total, np.int64)
        e = _floor_log2(total)
        mantissa = (total << np.maximum(8 - e, 0)) >> np.maximum(e - 8, 0)
        return e, mantissa - 2**self.INDEX_BITS

    def divide(self, acc, total):
        """``acc / total`` rounded by the contract, INT8."""
        e, index = self.exponent_and_index(total)
        product = np.asarray(acc, np.int64) * self.table[index]
        return saturate(round_shift(product, self.RECIPROCAL_BITS + e), -ACT_MAX, ACT_MAX)
