"""Choosing the next token from an imported model's logits (docs/number_contract_2.md)."""

from __future__ import annotations

import dataclasses
import math
from typing import ClassVar

import numpy as np

from ...support.errors import UserError
from ..arith import round_shift
from ..sampling import FRACTION_BITS, SamplingSettings, initial_state, xorshift32
from .arith import EXP2_FRAC_BITS, MULT_BITS, exp2

TOP_P_ONE = 2**16
"""``top_p`` that keeps every token."""


@dataclasses.dataclass(frozen=True)
class DecoderSettings(SamplingSettings):
    """As SamplingSettings, with finer temperatures (``temperature_mult`` 0..65535,
    ``temperature_shift`` 0..47) and ``top_p`` 1..65536, in 1/65536 (65536: all)."""

    top_p: int = TOP_P_ONE

    MULT_BITS: ClassVar[int] = MULT_BITS
    MAX_SHIFT: ClassVar[int] = 47
    KEY_FRAC_BITS: ClassVar[int] = EXP2_FRAC_BITS

    @classmethod
    def from_user(cls, *, top_p=None, **settings) -> DecoderSettings:
        """As :meth:`SamplingSettings.from_user`, with a top-p above 0 and at most 1 (None: off)."""
        given = super().from_user(**settings)
        if top_p is None:
            return given
        if isinstance(top_p, bool) or not isinstance(top_p, int | float) or not 0 < top_p <= 1:
            raise UserError(f"top-p must be above 0 and at most 1 (off), not {top_p!r}")
        return dataclasses.replace(given, top_p=max(math.ceil(top_p * TOP_P_ONE), 1))


class DecoderSampler:
    """Token chooser with the generator's state; ``choose`` is the contract."""

    def __init__(self, settings: DecoderSettings):
        self.settings = settings
        self.state = initial_state(settings.seed)

    def choose(self, logits) -> int:
        """Next token id of the integer ``logits`` [vocab_size]."""
        settings = self.settings
        if settings.greedy:
            return int(np.argmax(logits))
        logits = np.asarray(logits, np.int64)
        product = (logits.max() - logits) * settings.temperature_mult
        keys = round_shift(product, settings.temperature_shift)
        p = exp2(keys)
        if settings.top_k or settings.top_p < TOP_P_ONE:
            order = np.argsort(keys, kind="stable")[: settings.top_k or None]
            before = np.cumsum(p[order]) - p[order]
            most = (int(p[order].sum()) * settings.top_p) >> 16
            kept = order[(before < most) | (np.arange(len(order)) == 0)]
            p = np.where(np.isin(np.arange(len(p)), kept), p, 0)
        self.state = xorshift32(self.state)
        fraction = self.state >> (32 - FRACTION_BITS)
        threshold = (fraction * int(p.sum())) >> FRACTION_BITS
        return int(np.argmax(np.cumsum(p) > threshold))
