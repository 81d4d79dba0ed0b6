"""What is said of the time that compiling a simulation takes."""

import pytest

from gateformer.platforms.simulation.compile_time import compile_seconds, compile_time


@pytest.mark.parametrize(
    ("megabytes", "told"),
    [
        (0, "10 s of one core"),
        (1.95, "20 s of one core"),
        (3.83, "30 s of one core"),
        (6.19, "40 s of one core"),
        (23, "2 minutes of one core"),
        (60, "5 minutes of one core"),
    ],
)
def test_it_grows_with_the_design(megabytes, told):
    assert compile_time(" " * round(megabytes * 1e6)) == told


@pytest.mark.parametrize(
    ("megabytes", "measured"), [(1.95, 20.7), (3.83, 30.8), (1.88, 25.6), (6.19, 40.7)]
)
def test_it_is_what_was_measured(megabytes, measured):
    assert compile_seconds(" " * round(megabytes * 1e6)) == pytest.approx(measured, rel=0.2)
