"""Balanced-ternary digits and their packing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateformer.model.contract import arith
from gateformer.model.contract.trit_codec import from_digits, pack_5in8, to_digits, unpack_5in8
from gateformer.model.support.errors import UserError


@pytest.mark.parametrize("digits", [1, 2, 3, 4, 5])
def test_every_weight_has_its_digits(digits):
    bound = arith.max_weight(digits)
    weight = np.arange(-bound, bound + 1)
    planes = to_digits(weight, digits)
    assert planes.shape == (digits, 3**digits)
    assert np.abs(planes).max() == 1
    assert len({tuple(column) for column in planes.T}) == 3**digits
    np.testing.assert_array_equal(from_digits(planes), weight)


def test_high_digit_comes_first():
    np.testing.assert_array_equal(to_digits([[5, -4]], 3), [[[1, 0]], [[-1, -1]], [[-1, -1]]])


@pytest.mark.parametrize("weight, digits", [(2, 1), (-5, 2), (122, 5)])
def test_weight_of_too_many_digits(weight, digits):
    bound = arith.max_weight(digits)
    with pytest.raises(
        ValueError, match=f"^weights of {digits} digits must be in -{bound}..{bound}$"
    ):
        to_digits([weight], digits)


@given(st.lists(st.integers(-1, 1), max_size=23))
def test_packing_is_invertible(trits):
    packed = pack_5in8(np.array(trits, np.int64))
    assert packed.dtype == np.uint8
    assert len(packed) == (len(trits) + 4) // 5
    np.testing.assert_array_equal(unpack_5in8(packed, len(trits)), trits)


def test_first_trit_counts_least():
    np.testing.assert_array_equal(pack_5in8(np.array([1, -1, -1, -1, -1])), [2])
    np.testing.assert_array_equal(pack_5in8(np.array([-1, -1, -1, -1, 1, 0])), [162, 121])


@pytest.mark.parametrize(
    "packed, count, message",
    [
        ([0, 243], 10, "packed trits must be bytes in 0..242, but have 243"),
        ([0], 10, "10 trits must be packed in 2 bytes, not 1"),
        ([0, 0], 5, "5 trits must be packed in 1 bytes, not 2"),
    ],
)
def test_invalid_bytes(packed, count, message):
    with pytest.raises(UserError) as error:
        unpack_5in8(np.array(packed), count)
    assert str(error.value) == message
