"""What several streams and cores take: data file, factors, and designs that were not used."""

from __future__ import annotations

import pytest

from gateformer.model.contract.artifact import open_model
from gateformer.platforms.boards.board import board
from gateformer.platforms.sizes.calibrate import KINDS, fit, lut_error, predict
from gateformer.platforms.sizes.families import CALIBRATED, FAMILIES
from gateformer.platforms.sizes.points import Point, Run, cells
from gateformer.platforms.sizes.resource_model import load_data, resource_model
from gateformer.platforms.sizes.search import search
from tests.platforms.sizes.calibrated import mostly_full_size

INTERLEAVED = KINDS["interleaved"]
LUT_BAR = 0.10
SITES_BAR = 0.12
"""Of whole cores; most of it is the error of the same core with one stream."""


@pytest.fixture(params=CALIBRATED)
def family(request):
    return FAMILIES[request.param]


def _stored(family) -> dict:
    return load_data()[INTERLEAVED.section][family.name]


def test_the_factors_are_those_of_the_points(family):
    stored = _stored(family)
    again = fit(family, stored["points"], INTERLEAVED)
    for unit, factors in stored["factors"].items():
        for name in factors:
            assert again["factors"][unit][name] == pytest.approx(factors[name], rel=1e-3)
    assert again["hosts"] == stored["hosts"]


def test_the_points_are_those_that_are_calibrated(family):
    points = [point for run in INTERLEAVED.runs(family.name) for point in run.points]
    stored = [
        {name: point[name] for name in points[0].as_dict()} for point in _stored(family)["points"]
    ]
    assert stored == [point.as_dict() for point in points]
    assert {point.streams for point in points} >= {1, 2, 3, 4, 8}


def test_memories_and_multipliers_are_exact_and_luts_near(family):
    model = resource_model(family)
    for point in _stored(family)["points"]:
        prediction = predict(model, point)
        assert (prediction.bram, prediction.dsp) == (point["bram"], point["dsp"]), point
        assert abs(lut_error(point, prediction)) <= LUT_BAR, point
        if family.sites:
            assert abs(lut_error(point, prediction, "sites")) <= SITES_BAR, point


def test_two_cores_are_twice_a_core():
    points = _stored(FAMILIES["xc7"])["points"]
    assert any(point["cores"] > 1 and point["checks"] for point in points)


def test_the_zybos_top_of_two_streams_is_predicted():
    """Synthesized: ``python build.py zybo --rows 8 --cols 64 --lanes 128 --streams 2``."""
    sizes = {"rows": 8, "cols": 64, "lanes": 128, "packing": "2bit"}
    (found,) = search(open_model("shakespeare-115k").model, board("zybo"), sizes, streams=2)
    assert (found.need.bram, found.need.dsp) == (50.5, 80)
    assert found.need.lut == pytest.approx(12_163, rel=LUT_BAR)


TINY = "random:vocab_size=20,d_model=8,n_layers=1,d_ff=16,ctx_len=12,seed=3"


@pytest.mark.slow
@pytest.mark.parametrize("family", mostly_full_size("ecp5"), indirect=True)
def test_a_real_synthesis_agrees(family):
    point = Point("core", TINY, (1, 8, 4, "2bit"), streams=3)
    (counted,) = cells(Run(family.name, (point,)))
    resources = family.count(counted)
    prediction = predict(resource_model(family), point.as_dict())
    assert (prediction.bram, prediction.dsp) == (resources.bram, resources.dsp)
    assert prediction.lut == pytest.approx(resources.lut, rel=LUT_BAR)
