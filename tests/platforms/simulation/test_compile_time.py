"""What is said of the time that compiling a simulation takes."""

import re
from pathlib import Path

import pytest

from gateformer.platforms.simulation import compile_time as module
from gateformer.platforms.simulation.compile_time import compile_seconds, compile_time


def test_it_is_what_was_measured():
    """The table in the module, within an eighth."""
    text = Path(module.__file__).read_text(encoding="utf-8")
    rows = re.findall(r"^([\d.]+) +([\d.]+) +\S", text, re.MULTILINE)
    assert len(rows) == 5
    for megabytes, measured in rows:
        assert compile_seconds(float(megabytes)) == pytest.approx(float(measured), rel=0.125)


@pytest.mark.parametrize(
    ("megabytes", "told"), [(0, "20"), (1.95, "20"), (3.83, "30"), (6.19, "40"), (30, "50")]
)
def test_it_grows_with_the_design(megabytes, told):
    assert compile_time(" " * round(megabytes * 1e6)) == f"{told} s of one core"
