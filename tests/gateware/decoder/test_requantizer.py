"""The two multiplications with rounding against ``arith.requantize``."""

from __future__ import annotations

import numpy as np
import pytest

from gateformer.gateware.decoder.serial.requantizer import Requantizer
from gateformer.model.contract.arith import round_shift, signed_width
from gateformer.model.contract.decoder import arith

from .pipeline_bench import extremes, trace

COUNT = 400
MOST_SHIFT = 62


def run(unit: Requantizer, early: dict, late: dict) -> np.ndarray:
    """``value`` of numbers back to back: ``early`` with them, ``late`` FACTOR_DELAY later."""
    pad = [0] * unit.latency
    inputs = {name: [*values, *pad] for name, values in early.items()}
    inputs |= {name: np.roll([*v, *pad], unit.factor_delay) for name, v in late.items()}
    return trace(unit, inputs, "value")["value"][unit.latency :]


@pytest.mark.parametrize("seed", range(3))
def test_every_shift_and_width(seed):
    """Products of 46 bits as the contract allows them, 16-bit factors, biases up to 2**61."""
    rng = np.random.default_rng(seed)
    widths = (8, 11, 16, 28, 32)
    unit = Requantizer(
        a_width=40,
        b_width=17,
        factor_width=17,
        bias_width=62,
        first_shifts=50,
        shifts=MOST_SHIFT,
        middle_width=47,
        widths=widths,
    )
    size = 2.0 ** rng.uniform(0, 39, COUNT)
    a = np.rint(size * rng.choice([-1, 1], COUNT)).astype(np.int64)
    a = np.clip(a, -(2**39), 2**39 - 1)
    a[:4] = [2**39 - 1, -(2**39), -1, 0]
    b = np.where(rng.random(COUNT) < 0.3, 1, rng.integers(0, 2**17, COUNT))
    products = a * b
    least = np.maximum([signed_width(int(abs(p))) - 46 for p in products], 0)
    first_shift = np.where(rng.random(COUNT) < 0.5, least, rng.integers(least, 51))
    factor = extremes(rng, 2**14, COUNT) * rng.choice([1, 4], COUNT)
    factor = np.clip(factor, -(2**16), 2**16 - 1)
    bias = extremes(rng, 2**61 - 1, COUNT) >> rng.integers(0, 62, COUNT)
    shift, width = rng.integers(0, MOST_SHIFT + 1, COUNT), rng.integers(0, len(widths), COUNT)
    # half of the shifts such that the result neither vanishes nor is limited
    total = round_shift(products, first_shift) * factor + bias
    sized = [signed_width(int(abs(t))) - widths[w] for t, w in zip(total, width, strict=True)]
    shift = np.where(rng.random(COUNT) < 0.5, np.clip(sized, 0, MOST_SHIFT), shift)
    got = run(
        unit,
        {"a": a, "b": b, "first_shift": first_shift},
        {"factor": factor, "bias": bias, "shift": shift, "width": width},
    )
    for i in range(COUNT):
        bits = widths[width[i]]
        # beyond 2**62 the contract's own int64 rounding would overflow; no artifact gets there
        if abs(int(total[i])) + (1 << int(shift[i]) >> 1) < 2**63:
            assert got[i] == arith.requantize(total[i], shift[i], bits), i


def test_shifts_of_negative_numbers_round_half_up():
    """-1/2 is 0 and -3/2 is -1, in both roundings and for the largest shift."""
    unit = Requantizer(
        a_width=8,
        b_width=1,
        factor_width=2,
        bias_width=63,
        first_shifts=3,
        shifts=MOST_SHIFT,
        middle_width=9,
        widths=(8,),
    )
    a = [-1, -2, -3, -4, -5, 4, 3, -128]
    got = run(
        unit,
        {"a": a, "b": [1] * 8, "first_shift": [1] * 7 + [3]},
        {"factor": [1] * 8, "bias": [0] * 8, "shift": [0] * 8, "width": [0] * 8},
    )
    assert got.tolist() == [0, -1, -1, -2, -2, 2, 2, -16]
    half = 2**61
    bias = [-half, -half - 1, half, half - 1, -1, 0, 1 - 2**62, 2**62 - 1]
    got = run(
        unit,
        {"a": [0] * 8, "b": [1] * 8, "first_shift": [0] * 8},
        {"factor": [0] * 8, "bias": bias, "shift": [62] * 8, "width": [0] * 8},
    )
    assert got.tolist() == [0, -1, 1, 0, 0, 0, -1, 1]


def test_one_width_and_no_shift():
    """The narrowest unit that there can be."""
    unit = Requantizer(
        a_width=2,
        b_width=1,
        factor_width=2,
        bias_width=2,
        first_shifts=0,
        shifts=0,
        middle_width=3,
        widths=(3,),
    )
    rng = np.random.default_rng(0)
    a, factor, bias = rng.integers(-2, 2, (3, 60))
    b, zeros = rng.integers(0, 2, 60), np.zeros(60, int)
    got = run(
        unit,
        {"a": a, "b": b, "first_shift": zeros},
        {"factor": factor, "bias": bias, "shift": zeros, "width": zeros},
    )
    assert np.array_equal(got, arith.requantize(a * b * factor + bias, 0, 3))
