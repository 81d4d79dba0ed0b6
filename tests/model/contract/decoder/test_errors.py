"""How far the integer operations are from the real functions that they stand for."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateformer.model.contract.choices import CHOICES
from gateformer.model.contract.decoder import arith

REAL = {
    "relu": lambda z: max(z, 0.0),
    "silu": lambda z: z / (1 + math.exp(-z)),
    "gelu": lambda z: z * (1 + math.erf(z / math.sqrt(2))) / 2,
    "gelu_tanh": lambda z: z * (1 + math.tanh(math.sqrt(2 / math.pi) * (z + 0.044715 * z**3))) / 2,
}
residuals = st.integers(16, 28).flatmap(
    lambda bits: st.lists(
        st.integers(-arith.limit(bits), arith.limit(bits)), min_size=1, max_size=40
    )
)


@given(x=residuals)
def test_norm_is_within_a_twentieth_of_a_percent_and_a_half(x):
    """Of 4096 * x / rms, as the document says."""
    size = math.sqrt(sum(v * v for v in x) / len(x))
    found = arith.normalize(x, 0)
    for value, got in zip(x, found.tolist(), strict=True):
        real = 4096 * value / size if size else 0.0
        assert abs(got - real) <= 0.0005 * abs(real) + 0.5


@given(x=residuals)
def test_mean_is_taken_off_within_a_half_and_what_23_bits_leave(x):
    mean = sum(x) / len(x)
    for value, got in zip(x, arith.subtract_mean(x).tolist(), strict=True):
        assert abs(got - (value - mean)) <= 0.5 + max(map(abs, x)) * 2.0**-24


@given(t=st.integers(0, 5000))
def test_exp2_is_within_one_unit(t):
    assert abs(int(arith.exp2([t])[0]) - 32767 * 2 ** (-t / 256)) <= 1


@given(
    draws=st.lists(
        st.tuples(st.integers(0, 4200), st.integers(-(2**15), 2**15)), min_size=1, max_size=60
    )
)
def test_mean_of_values_is_within_a_tenth_of_a_percent(draws):
    """Of the largest value, in 1/256: the reciprocal's error, and a half."""
    draws = [(0, draws[0][1]), *draws]  # the largest score is always there
    p = arith.exp2([t for t, _ in draws])
    v = np.array([value for _, value in draws])
    found = int(arith.mean_of_values((p * v).sum(), p.sum()))
    real = 256 * float((p * v).sum()) / float(p.sum())
    assert abs(found - real) <= abs(real) * 0.0005 + 0.5


@pytest.mark.parametrize("activation", CHOICES["activation"])
@given(bits=st.integers(8, 16), frac=st.integers(0, 14), data=st.data())
def test_activation_is_within_a_two_thousandth(activation, bits, frac, data):
    """Of its input's size, and half a unit of its output, which has two more bits."""
    g = data.draw(st.integers(-arith.limit(bits), arith.limit(bits)))
    found = int(arith.activate([g], frac, activation)[0]) / 4
    unit = 2.0**-frac
    # beyond ±16 the share is 0 or 1 to 1e-7; math.exp overflows long after
    real = REAL[activation](max(g * unit, -700.0)) / unit
    assert abs(found - real) <= abs(g) / 2000 + 0.125 + 1e-6


@given(pair=st.tuples(*[st.integers(-(2**15) + 1, 2**15 - 1)] * 2), angle=st.floats(-7, 7))
def test_turning_keeps_a_pair_within_two_units(pair, angle):
    cos, sin = (np.array([round(2**14 * f(angle))]) for f in (math.cos, math.sin))
    a, b = arith.rotate(pair, cos, sin, arith.ROTARY_BITS, 24).tolist()
    c, s = math.cos(angle), math.sin(angle)
    assert abs(a - (pair[0] * c - pair[1] * s)) <= 2.5
    assert abs(b - (pair[1] * c + pair[0] * s)) <= 2.5
