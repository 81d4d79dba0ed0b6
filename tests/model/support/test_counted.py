"""Numbers of things in words."""

import pytest

from gateformer.model.support.counted import counted


@pytest.mark.parametrize(
    ("number", "expected"),
    [(0, "0 ports"), (1, "1 port"), (2, "2 ports"), (1234567, "1,234,567 ports")],
)
def test_one_has_no_plural(number, expected):
    assert counted(number, "port") == expected
