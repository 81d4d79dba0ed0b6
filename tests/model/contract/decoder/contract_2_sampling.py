"""Sampling of docs/number_contract_2.md, written from that page alone, as the decoder beside it."""

from __future__ import annotations

import math

from .contract_2_implementation import exp2, round_shift

MASK = (1 << 32) - 1


def temperature(logit_scale: float, t: float) -> tuple[int, int]:
    """``(temperature_mult, temperature_shift)`` of a temperature above 0."""
    scale = min(logit_scale * math.log2(math.e) / t * 256, 65535)
    shift = max(s for s in range(48) if round(scale * 2**s) <= 65535)
    return max(round(scale * 2**shift), 1), shift


class Random:
    """xorshift32 as page 1 seeds it."""

    def __init__(self, seed: int) -> None:
        self.y = seed ^ 0x9E3779B9 or 1
        for _ in range(16):
            self.draw()

    def draw(self) -> int:
        y = self.y
        y ^= y << 13 & MASK
        y ^= y >> 17
        self.y = y ^ (y << 5 & MASK)
        return self.y


def choose(logits: list[int], mult: int, shift: int, top_k: int, top_p: int, rng: Random) -> int:
    """The next token; ``mult`` 0 is greedy."""
    top = max(logits)
    if mult == 0:
        return logits.index(top)
    key = [round_shift((top - v) * mult, shift) for v in logits]
    order = sorted(range(len(key)), key=lambda i: (key[i], i))
    order = order[: top_k or len(order)]
    limit = (sum(exp2(key[i]) for i in order) * top_p) >> 16
    stay, before = set(), 0
    for place, i in enumerate(order):
        if place and before >= limit:
            break
        stay.add(i)
        before += exp2(key[i])
    p = [exp2(key[i]) if i in stay else 0 for i in range(len(key))]
    threshold = ((rng.draw() >> 8) * sum(p)) >> 24
    so_far = 0
    for i, value in enumerate(p):
        so_far += value
        if so_far > threshold:
            return i
    raise AssertionError("the sum of p is above every threshold")
