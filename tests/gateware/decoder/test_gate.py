"""Activation functions and the gated product against ``arith.activate``."""

from __future__ import annotations

import numpy as np
import pytest

from gateformer.gateware.decoder.serial.gate import Gate
from gateformer.model.contract.decoder import arith

from .pipeline_bench import extremes, trace

MOST_SHIFT = 40
ACTIVATIONS = sorted(arith.GATE_FUNCTIONS)


def hidden(g, up, frac, shift, activation, bits) -> np.ndarray:
    y = arith.activate(g, frac, activation)
    return arith.requantize(y if up is None else y * up, shift, bits)


def run(unit: Gate, value, odd, frac, shift) -> np.ndarray:
    """``hidden`` of the numbers of every cycle, each with its ``frac`` and ``hidden_shift``."""
    fraction_delay, shift_delay = 1, unit.SHIFT_DELAY  # before, and after the number
    pad = np.zeros(unit.LATENCY, np.int64)
    inputs = {
        "value": [0, *value, *pad],
        "odd": [0, *odd, *pad],
        "frac": [*frac, 0, *pad],
        "hidden_shift": np.roll([0, *shift, *pad], shift_delay),
    }
    return trace(unit, inputs, "hidden")["hidden"][fraction_delay + unit.LATENCY :]


def build(activation, gated, bits, hidden_bits) -> Gate:
    return Gate(
        activation=activation,
        gated=gated,
        bits=bits,
        hidden_bits=hidden_bits,
        most_shift=MOST_SHIFT,
    )


def shifts(rng, count, useful) -> np.ndarray:
    """Any, but mostly about ``useful``, by which results neither vanish nor are all limited."""
    near = np.clip(useful + rng.integers(-3, 4, count), 0, MOST_SHIFT)
    return np.where(rng.random(count) < 0.7, near, rng.integers(0, MOST_SHIFT + 1, count))


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("frac", [0, 9, 14])
def test_every_number_of_few_bits(activation, frac):
    """Also the table's end, from which on everything (or nothing) passes."""
    bits = 10
    g = np.arange(-arith.limit(bits), arith.limit(bits) + 1)
    unit = build(activation, False, bits, 16)
    zeros = np.zeros_like(g)
    got = run(unit, g, zeros, zeros + frac, zeros)
    assert np.array_equal(got, hidden(g, None, frac, 0, activation, 16))


@pytest.mark.parametrize("bits", range(8, 17))
def test_numbers_one_after_the_other(bits):
    """Each with its own fraction and shift, at every width, extreme ones among them."""
    rng = np.random.default_rng(bits)
    count, activation = 300, ACTIVATIONS[bits % 4]
    hidden_bits = int(rng.integers(8, 17))
    g, frac = extremes(rng, arith.limit(bits), count), rng.integers(0, 15, count)
    shift = shifts(rng, count, max(bits + 2 - hidden_bits, 0))
    unit = build(activation, False, bits, hidden_bits)
    got = run(unit, g, rng.integers(0, 2, count), frac, shift)
    assert np.array_equal(got, hidden(g, None, frac, shift, activation, hidden_bits))


@pytest.mark.parametrize("bits", range(8, 17))
def test_pairs_with_gaps(bits):
    """The second of a pair may come any time after the first; results of other cycles are none."""
    rng = np.random.default_rng(100 + bits)
    count, activation = 200, ACTIVATIONS[bits % 4]
    hidden_bits = int(rng.integers(8, 17))
    gaps = rng.choice([0, 0, 1, 7, 12], (count, 2))
    first = np.cumsum(gaps.sum(1) + 2)  # a pair's cycles: gap, first, gap, second
    first -= gaps[:, 1]
    second = first + gaps[:, 1] + 1
    cycles = second[-1] + 1
    value, frac = extremes(rng, arith.limit(bits), cycles), rng.integers(0, 15, cycles)
    shift = shifts(rng, cycles, 2 * bits + 1 - hidden_bits)
    odd = rng.integers(0, 2, cycles)
    for start, end in zip(first, second, strict=True):
        odd[start], odd[start + 1 : end + 1] = 0, 1
    got = run(build(activation, True, bits, hidden_bits), value, odd, frac, shift)
    expected = hidden(
        value[first], value[second], frac[first], shift[second], activation, hidden_bits
    )
    assert np.array_equal(got[second], expected)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_largest_products(activation):
    """Of all corners, the product unshifted as far as 16 bits go, and shifted to fill them."""
    most = arith.limit(16)
    corners = np.array([(a, b) for a in (-most, -1, 0, 1, most) for b in (-most, -1, 1, most)])
    for shift in (0, 17, 18, 40):
        unit = build(activation, True, 16, 16)
        flat = corners.ravel()
        ones = np.ones_like(flat)
        got = run(unit, flat, np.arange(len(flat)) % 2, ones * 11, ones * shift)
        assert np.array_equal(
            got[1::2], hidden(corners[:, 0], corners[:, 1], 11, shift, activation, 16)
        )
