"""Predicted resources of imported models' cores against synthesized ones."""

from __future__ import annotations

import pytest

from gateformer.model.contract.random_model import RANDOM_PREFIX
from gateformer.platforms.sizes.calibrate import KINDS, fit, lut_error, predict
from gateformer.platforms.sizes.decoder.units import GLUE
from gateformer.platforms.sizes.families import CALIBRATED, FAMILIES
from gateformer.platforms.sizes.points import Point, Run, cells
from gateformer.platforms.sizes.resource_model import load_data, resource_model
from tests.platforms.sizes.calibrated import mostly_full_size

from .shapes import GPT2, LLAMA

LUT_BAR = 0.10
FF_BAR = 0.10
SITES_BAR = 0.10
IMPORTED = KINDS["imported"]


@pytest.fixture(params=CALIBRATED)
def family(request):
    return FAMILIES[request.param]


def _section(family) -> dict:
    return load_data()[IMPORTED.section][family.name]


def test_the_factors_are_those_of_the_points(family):
    stored = _section(family)
    again = fit(family, stored["points"], IMPORTED)
    for unit, factors in stored["factors"].items():
        for name in factors:
            assert again["factors"][unit][name] == pytest.approx(factors[name], rel=1e-3)
    assert {"yosys", "gateware", "points", "factors"} == set(stored)


def test_cores_that_were_not_calibrated_on_are_predicted(family):
    model = resource_model(family)
    checks = [point for point in _section(family)["points"] if point["checks"]]
    used = [point for point in _section(family)["points"] if not point["checks"]]
    designs = {(point["model"], point["sizes"][2]) for point in checks}
    assert len(designs) >= 2 and {8, 64} <= {lanes for _, lanes in designs}
    assert designs.isdisjoint((point["model"], point["sizes"][2]) for point in used)
    for point in checks:
        assert point["what"] == GLUE
        prediction = predict(model, point)
        assert abs(lut_error(point, prediction)) <= LUT_BAR, point
        assert abs(prediction.ff / point["ff"] - 1) <= FF_BAR, point
        if family.sites:
            assert abs(lut_error(point, prediction, "sites")) <= SITES_BAR, point


def test_every_synthesized_memory_and_multiplier_is_predicted(family):
    model = resource_model(family)
    points = _section(family)["points"]
    assert {point["what"] for point in points} == {*IMPORTED.units, GLUE}
    for point in points:
        assert point["model"].startswith(RANDOM_PREFIX)
        prediction = predict(model, point)
        assert (prediction.bram, prediction.dsp) == (point["bram"], point["dsp"]), point


@pytest.mark.slow
@pytest.mark.parametrize(
    ("spec", "lanes"), [(LLAMA, 24), pytest.param(GPT2, 20, marks=pytest.mark.full_size)]
)
@pytest.mark.parametrize("family", mostly_full_size("gowin"), indirect=True)
def test_a_real_synthesis_agrees(family, spec, lanes):
    point = Point(GLUE, spec, (1, 1, lanes, "2bit"))
    (counted,) = cells(Run(family.name, (point,)))
    resources = family.count(counted)
    prediction = predict(resource_model(family), point.as_dict())
    assert (prediction.bram, prediction.dsp) == (resources.bram, resources.dsp)
    assert prediction.lut == pytest.approx(resources.lut, rel=LUT_BAR)
