"""Pairs that RoPE turns against ``arith.rotate``."""

from __future__ import annotations

import numpy as np
import pytest

from gateformer.gateware.decoder.serial.rotation import Rotation
from gateformer.model.contract.decoder import arith

from .pipeline_bench import extremes, trace

PAIRS = 150
ONE = 2**arith.ROTARY_BITS


@pytest.mark.parametrize(
    ("bits", "key_bits"),
    [(b, k) for b in (8, 12, 16) for k in (8, 12, 16)] + [(9, 15), (10, 14), (11, 13), (13, 11)],
)
@pytest.mark.parametrize("gaps", [[0], [0, 1, 2, 9]])
def test_equals_the_contract(bits, key_bits, gaps):
    """Queries and keys in turn, back to back and with other numbers between and inside of pairs."""
    rng = np.random.default_rng(bits * 20 + key_bits)
    unit = Rotation(bits=bits, key_bits=key_bits)
    gap = rng.choice(gaps, (PAIRS, 2))
    second = np.cumsum(gap.sum(1) + 2) - 1
    first = second - 1 - gap[:, 1]
    cycles = second[-1] + 1 + unit.SECOND
    value = extremes(rng, arith.limit(bits), cycles)
    angle = rng.uniform(0, 2 * np.pi, cycles)
    corner = rng.random(cycles) < 0.4
    # a table may also hold what is no angle: both of them ±1
    cos = np.where(corner, rng.choice([-ONE, 0, ONE], cycles), np.rint(ONE * np.cos(angle)))
    sin = np.where(corner, rng.choice([-ONE, 0, ONE], cycles), np.rint(ONE * np.sin(angle)))
    cos, sin, key = cos.astype(int), sin.astype(int), rng.integers(0, 2, cycles)
    is_first, is_second = np.zeros((2, cycles), int)
    is_first[first] = is_second[second] = 1
    got = trace(
        unit,
        {
            "value": value,
            "first": is_first,
            "second": is_second,
            "key": key,
            "cos": cos,
            "sin": sin,
        },
        "turned",
    )["turned"]
    for a, b in zip(first, second, strict=True):
        width = key_bits if key[b] else bits
        shift = arith.ROTARY_BITS + bits - width
        expected = arith.rotate([value[a], value[b]], [cos[b]], [sin[b]], shift, width)
        assert [got[b + unit.FIRST], got[b + unit.SECOND]] == expected.tolist(), (a, b)
