"""Choosing the next token from integer logits: the same function in Python and in gateware.

Greedy takes the largest logit, the lowest index of equals. Otherwise, with ``max`` the largest
logit:

1. ``key[i] = min(((max - logit[i]) * temperature_mult + half) >> temperature_shift, 511)``, the
   distance to the best token in 1/32 octaves of probability (:data:`model.contract.arith.EXP2`);
2. with top-k, the k smallest keys stay, of equal keys the lowest indices;
3. ``p[i] = exp2(key[i])`` of those that stay, 0 of the others; ``total`` is their sum;
4. ``threshold = (fraction * total) >> 24`` with ``fraction`` the upper 24 bits of the next random
   number; the token is the first i with ``p[0] + … + p[i] > threshold``.

Random numbers: xorshift32 (Marsaglia, "Xorshift RNGs", Journal of Statistical Software 8(14),
2003; shifts 13, 17, 5), one per sampled token, from the state ``seed ^ 0x9E3779B9`` (1 if that is
0) after 16 discarded steps.
"""

from __future__ import annotations

import dataclasses
import math
from typing import ClassVar

import numpy as np

from ..support.errors import UserError
from . import arith

SEED_MASK = 0x9E3779B9
DISCARDED = 16
FRACTION_BITS = 24
TEMPERATURE_MULT_BITS = 8
MAX_TEMPERATURE_SHIFT = 31


def xorshift32(state: int) -> int:
    """Next state of the generator (never 0 if ``state`` is not)."""
    state ^= (state << 13) & 0xFFFFFFFF
    state ^= state >> 17
    state ^= (state << 5) & 0xFFFFFFFF
    return state


def initial_state(seed: int) -> int:
    """State after seeding with a 32-bit seed."""
    state = (seed ^ SEED_MASK) or 1
    for _ in range(DISCARDED):
        state = xorshift32(state)
    return state


@dataclasses.dataclass(frozen=True)
class SamplingSettings:
    """What the sampler's registers hold.

    Parameters
    ----------
    temperature_mult : int, 0..255; 0 chooses greedily
    temperature_shift : int, 0..31
    top_k : int, 0 (off) to vocab_size
    seed : int, 32 bits
    """

    temperature_mult: int = 0
    temperature_shift: int = 0
    top_k: int = 0
    seed: int = 0

    MULT_BITS: ClassVar[int] = TEMPERATURE_MULT_BITS
    MAX_SHIFT: ClassVar[int] = MAX_TEMPERATURE_SHIFT
    KEY_FRAC_BITS: ClassVar[int] = arith.EXP2.FRAC_BITS

    @property
    def greedy(self) -> bool:
        return self.temperature_mult == 0

    @classmethod
    def from_user(
        cls, *, temperature, top_k, seed, logit_scale: float, vocab_size: int
    ) -> SamplingSettings:
        """Settings from a temperature (0: greedy), a top-k (0 or None: off) and a seed.

        Raises UserError, naming the value, if the temperature is negative or not a finite
        number, if top-k is outside 0..vocab_size or the seed outside 0..2**32-1.
        """
        temperature = checked_temperature(temperature)
        top_k = 0 if top_k is None else top_k
        if not isinstance(top_k, int) or not 0 <= top_k <= vocab_size:
            raise UserError(
                f"top-k must be 0 (off) to {vocab_size} (the vocabulary), not {top_k!r}"
            )
        if not isinstance(seed, int) or not 0 <= seed < 2**32:
            raise UserError(f"seed must be an integer from 0 to {2**32 - 1}, not {seed!r}")
        if temperature == 0:
            return cls(top_k=top_k, seed=seed)
        keys_per_unit = logit_scale * math.log2(math.e) / temperature * 2**cls.KEY_FRAC_BITS
        limit = 2**cls.MULT_BITS - 1
        keys_per_unit = min(keys_per_unit, limit)  # infinite for the smallest temperatures
        shift = cls.MAX_SHIFT
        while shift > 0 and round(keys_per_unit * 2**shift) > limit:
            shift -= 1
        mult = min(max(round(keys_per_unit * 2**shift), 1), limit)
        return cls(mult, shift, top_k, seed)


def checked_temperature(given) -> float:
    """The number that was given, perhaps as text; UserError if it is negative or not finite."""
    try:
        temperature = float(given)
    except (TypeError, ValueError):
        temperature = math.nan
    if not (math.isfinite(temperature) and temperature >= 0):
        raise UserError(
            f"temperature must be a finite number of at least 0 (0: greedy), not {given}"
        )
    return temperature


class Sampler:
    """Token chooser with the generator's state; ``choose`` is the contract above."""

    def __init__(self, settings: SamplingSettings):
        self.settings = settings
        self.state = initial_state(settings.seed)

    def keys(self, logits) -> np.ndarray:
        logits = np.asarray(logits, np.int64)
        product = (logits.max() - logits) * self.settings.temperature_mult
        return np.minimum(
            arith.round_shift(product, self.settings.temperature_shift), arith.EXP2.max_index
        )

    def choose(self, logits) -> int:
        """Next token id of the integer ``logits`` [vocab_size]."""
        if self.settings.greedy:
            return int(np.argmax(logits))
        keys = self.keys(logits)
        p = arith.EXP2(keys)
        if self.settings.top_k:
            kept = np.argsort(keys, kind="stable")[: self.settings.top_k]
            mask = np.zeros(len(p), bool)
            mask[kept] = True
            p = np.where(mask, p, 0)
        self.state = xorshift32(self.state)
        fraction = self.state >> (32 - FRACTION_BITS)
        threshold = (fraction * int(p.sum())) >> FRACTION_BITS
        return int(np.argmax(np.cumsum(p) > threshold))
