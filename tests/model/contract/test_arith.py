"""The integer contract against real arithmetic."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateformer.model.contract import arith

WIDTHS = st.integers(1, 1024)


@given(st.integers(-(2**50), 2**50), st.integers(0, arith.MAX_SHIFT))
def test_round_shift_rounds_half_up(value, shift):
    assert arith.round_shift(value, shift) == math.floor(Fraction(value, 2**shift) + Fraction(1, 2))


def test_round_shift_of_shift_zero_changes_nothing():
    np.testing.assert_array_equal(arith.round_shift([-3, 0, 5], 0), [-3, 0, 5])


@pytest.mark.parametrize("value, rounded", [(-3, -1), (-2, -1), (-1, 0), (1, 1), (2, 1), (3, 2)])
def test_halves_round_towards_plus_infinity(value, rounded):
    assert arith.round_shift(value, 1) == rounded


@pytest.mark.parametrize("digits, bound", [(1, 1), (2, 4), (3, 13), (4, 40), (5, 121)])
def test_max_weight(digits, bound):
    assert arith.max_weight(digits) == bound


@given(st.integers(0, 2**40))
def test_signed_width_is_the_smallest_that_holds_the_bound(bound):
    width = arith.signed_width(bound)
    assert bound <= 2 ** (width - 1) - 1
    assert width == 1 or bound > 2 ** (width - 2) - 1


@given(
    st.integers(-(2**24), 2**24), st.integers(0, arith.MULT_MAX), st.integers(0, arith.MAX_SHIFT)
)
def test_requantizers_scale_round_and_saturate(acc, mult, shift):
    exact = math.floor(Fraction(acc * mult, 2**shift) + Fraction(1, 2))
    assert arith.to_activation(shift)(acc, mult) == min(max(exact, -127), 127)
    assert arith.to_relu(shift)(acc, mult) == min(max(exact, 0), 127)
    assert arith.to_residual(shift)(acc, mult) == min(max(exact, -32767), 32767)


def test_requantizer_takes_one_mult_per_row():
    np.testing.assert_array_equal(
        arith.to_activation(2)([[4, 4], [-6, 6]], [1, 2]), [[1, 2], [-1, 3]]
    )


@pytest.mark.parametrize("shift", [-1, 32])
@pytest.mark.parametrize("make", [arith.to_activation, arith.Softmax])
def test_shift_out_of_range(make, shift):
    with pytest.raises(ValueError, match=f"^shift must be 0 to 31, not {shift}$"):
        make(shift)


def test_residual_saturates_symmetrically():
    np.testing.assert_array_equal(
        arith.add_residual([32000, -32000, 5], [1000, -1000, -7]), [32767, -32767, -2]
    )
    np.testing.assert_array_equal(
        arith.embed([127, -127, 2], [127, -127, 3], 255, 255), [32767, -32767, 5 * 255]
    )


def _check_norm_scale(d_model, sum_of_squares):
    """The table's factor of x is within 1 % of 256 / rms."""
    norm = arith.RMSNorm(d_model, 0)
    e, index = norm.exponent_and_index(sum_of_squares)
    assert np.all((index >= 64) & (index <= 255))
    assert np.all(e <= norm.max_exponent)
    factor = norm.table[index] / np.exp2(e)
    exact = 256 * np.sqrt(d_model / np.asarray(sum_of_squares, np.float64))
    assert np.abs(factor / exact - 1).max() < 0.01


@given(WIDTHS, st.data())
def test_rms_norm_scale_is_within_1_percent(d_model, data):
    _check_norm_scale(d_model, data.draw(st.integers(1, d_model * arith.RESIDUAL_MAX**2)))


@pytest.mark.parametrize("d_model", [1, 2, 3, 64, 96, 1000, 1024])
def test_rms_norm_scale_over_the_whole_range(d_model):
    largest = d_model * arith.RESIDUAL_MAX**2
    powers = 2 ** np.arange(largest.bit_length(), dtype=np.int64)
    spread = np.geomspace(1, largest, 20000).astype(np.int64)
    s = np.concatenate([np.arange(1, 5000), powers, powers[1:] - 1, spread, [largest]])
    _check_norm_scale(d_model, s[s <= largest])


@pytest.mark.parametrize("d_model", [1, 5, 64, 1024])
def test_rms_norm_table_is_exact_in_the_middle_of_each_bin(d_model):
    norm, middles = arith.RMSNorm(d_model, 0), 2 * np.arange(64, 256) + 1
    e, index = norm.exponent_and_index(middles * 2**9)
    assert np.all(norm.table[:64] == 0)
    exact = 256 * np.sqrt(d_model / (middles * 2.0**9)) * np.exp2(e)
    assert np.abs(norm.table[index] - exact).max() <= 0.5


@given(WIDTHS, st.integers(0, 2**32), st.floats(0, 15))
def test_rms_norm_of_vectors(d_model, seed, log2_size):
    x = np.rint(np.random.default_rng(seed).normal(0, 2**log2_size, d_model)).astype(np.int64)
    x = arith.saturate(x, -arith.RESIDUAL_MAX, arith.RESIDUAL_MAX)
    norm = arith.RMSNorm(d_model, 0)
    u = norm.normalize(x)
    exact = 256 * x / max(math.sqrt(np.mean(x * x)), 1e-9)
    assert np.all(np.abs(u - exact) <= 0.01 * np.abs(exact) + 0.5)
    assert np.abs(u).max() <= norm.max_normalized


@pytest.mark.parametrize("d_model", [1, 7, 1024])
def test_rms_norm_bound_is_reached_by_a_single_spike(d_model):
    norm = arith.RMSNorm(d_model, 0)
    u = [np.abs(norm.normalize(np.eye(1, d_model) * size)).max() for size in (1, 181, 8191, 32767)]
    assert max(u) <= norm.max_normalized < 1.03 * max(u) + 4


def test_rms_norm_of_zeros_is_zero():
    assert not arith.RMSNorm(5, 3)(np.zeros(5), np.full(5, 127)).any()


def test_rms_norm_gain_shift_and_saturation():
    x = np.array([1000, -1000, 1000, -1000])
    u = arith.RMSNorm(4, 0).normalize(x)
    gain = np.array([10, 64, -127, -127])
    out = arith.RMSNorm(4, 7)(x, gain)
    np.testing.assert_array_equal(out, np.clip(np.floor(u * gain / 128 + 0.5), -127, 127))
    assert set(np.abs(out[2:])) == {127}


def test_exp2_table():
    t = np.arange(512)
    assert len(arith.EXP2.table) == 512
    assert np.abs(arith.EXP2.table - 255 * np.exp2(-t / 32)).max() <= 0.5
    assert np.all(np.diff(arith.EXP2.table) <= 0)
    assert arith.EXP2(0) == 255
    assert arith.EXP2(32) == 128
    assert arith.EXP2(511) == arith.EXP2(10**9) == 0


@given(st.integers(0, 2**32), st.integers(1, 2000), st.integers(0, 400))
def test_softmax_division(seed, positions, spread):
    rng = np.random.default_rng(seed)
    softmax = arith.Softmax(0)
    p = softmax.probabilities(rng.integers(-spread, spread + 1, positions))
    assert p.max() == 255
    v = rng.integers(-127, 128, (positions, 4))
    exact = (p @ v) / p.sum()
    out = softmax.divide(p @ v, p.sum())
    assert np.all(np.abs(out - exact) <= 0.004 * np.abs(exact) + 0.5)


@given(st.integers(255, 2**40))
@example(255)
@example(256)
def test_softmax_reciprocal_is_within_0_4_percent(total):
    softmax = arith.Softmax(0)
    e, index = softmax.exponent_and_index(total)
    assert e >= softmax.MIN_EXPONENT
    assert 0 <= index <= 255
    assert abs(softmax.table[index] / 2.0 ** (9 + e) * total - 1) < 0.004


def test_softmax_probabilities_are_base_2_octaves():
    softmax = arith.Softmax(3)
    np.testing.assert_array_equal(softmax.scores([0, 3, 4, -4, -5]), [0, 0, 1, 0, -1])
    np.testing.assert_array_equal(softmax.probabilities([96, 64, 32, -1000]), [255, 128, 64, 0])
