"""The resource model: cycles as the program's, data file, factors."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateformer.gateware.compiler.program import Program
from gateformer.gateware.plan.bounds import prove_bounds
from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.model.contract.artifact import open_model
from gateformer.model.contract.random_model import RANDOM_PREFIX
from gateformer.model.support.errors import UserError
from gateformer.platforms.boards.target import PROCESSOR
from gateformer.platforms.sizes import resource_model as module
from gateformer.platforms.sizes.calibrate import fit, lut_error, predict
from gateformer.platforms.sizes.factors import fit_factors, nonnegative_least_squares
from gateformer.platforms.sizes.families import CALIBRATED, FAMILIES
from gateformer.platforms.sizes.points import Point, Run, cells
from gateformer.platforms.sizes.program import SizedProgram
from gateformer.platforms.sizes.resource_model import (
    lane_blocks,
    load_data,
    multiplier_blocks,
    predicted_as,
    resource_model,
)
from tests.platforms.sizes.calibrated import mostly_full_size

CARRY_BAR = 0.05
LUT_BAR = 0.10
SITES_BAR = 0.05
SHAPES = {
    # rows x cols, lanes, packing: uneven heads, paddings, several passes, both packings
    "shakespeare-115k": [
        (8, 64, 64, "2bit"),
        (8, 64, 128, "2bit"),
        (1, 8, 16, "3in5"),
        (4, 32, 12, "2bit"),
    ],
    "random:d_model=30,n_heads=3,d_ff=70,ctx_len=17,digits=2,seed=4": [(4, 16, 12, "2bit")],
    "random:d_model=12,n_heads=1,n_layers=3,d_ff=8,ctx_len=1,seed=5": [(2, 6, 4, "3in5")],
}


@pytest.fixture(params=CALIBRATED)
def family(request):
    return FAMILIES[request.param]


@pytest.mark.parametrize("spec", SHAPES)
def test_a_sized_program_is_the_program_without_contents(spec):
    model = open_model(spec).model
    for sizes in SHAPES[spec]:
        hw = HwConfig(*sizes)
        program, sized = Program(model, hw), SizedProgram(model, hw, prove_bounds(model))
        assert sized.instructions == program.instructions
        assert sized.images.scale_words == program.images.scale_words
        assert len(sized.images.weight_words) == len(program.images.weight_words)
        cycles = program.cycles_by_position()
        assert sized.mean_cycles == sum(cycles) / len(cycles)


def test_a_multiplier_block_is_counted_as_the_gateware_instantiates_it(family):
    assert lane_blocks(family, 9, 8) == {"xc7": 1, "ecp5": 1, "gowin": 0.5}[family.name]
    assert lane_blocks(family, 17, 12) == multiplier_blocks(family, 18, 17) == 1
    assert multiplier_blocks(family, 25, 18) == (1 if family.name == "xc7" else 2)
    assert multiplier_blocks(family, 60, 18) >= 3


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_least_squares_meet_the_conditions_of_the_optimum(seed):
    rng = np.random.default_rng(seed)
    rows, columns = rng.integers(1, 9), rng.integers(1, 7)
    a, b = rng.normal(size=(rows, columns)), rng.normal(size=rows)
    x = nonnegative_least_squares(a, b)
    gradient = a.T @ (b - a @ x)
    assert (x >= 0).all()
    assert (gradient <= 1e-8).all()
    assert np.abs(gradient[x > 0]).max(initial=0) <= 1e-8


def test_factors_of_an_exact_sum_are_found():
    terms = [{"a": a, "b": b, "unit": 1} for a, b in ((1, 5), (2, 3), (7, 1), (4, 4))]
    wanted = [3 * row["a"] + 2 * row["b"] + 10 for row in terms]
    assert fit_factors(terms, wanted) == pytest.approx({"a": 3, "b": 2, "unit": 10})


def _points(family) -> list[dict]:
    return load_data()["families"][family.name]["points"]


def test_the_data_file_says_how_it_is_made(family):
    assert load_data()["command"] == "gateformer fit --calibrate"
    assert {"yosys", "gateware", "points", "factors", "hosts"} == set(
        load_data()["families"][family.name]
    )


def test_the_factors_are_those_of_the_points(family):
    stored = load_data()["families"][family.name]
    again = fit(family, stored["points"])
    for unit, factors in stored["factors"].items():
        for name in factors:
            assert again["factors"][unit][name] == pytest.approx(factors[name], rel=1e-3)
    assert again["hosts"] == stored["hosts"]


def test_no_shipped_model_calibrates(family):
    """A newly trained one leaves the factors as they are."""
    assert all(p["checks"] or p["model"].startswith(RANDOM_PREFIX) for p in _points(family))


def test_designs_that_were_not_calibrated_on_are_predicted(family):
    model = resource_model(family)
    checks = [point for point in _points(family) if point["checks"]]
    used = {(p["what"], p["model"], *p["sizes"]) for p in _points(family) if not p["checks"]}
    assert len(checks) >= 3
    for point in checks:
        assert (point["what"], point["model"], *point["sizes"]) not in used
        prediction = predict(model, point)
        assert abs(lut_error(point, prediction)) <= LUT_BAR, point
        assert abs(prediction.carry - point.get("carry", 0)) <= CARRY_BAR * prediction.carry, point
        assert (prediction.bram, prediction.dsp) == (point["bram"], point["dsp"]), point


def test_lut_sites_of_sizes_that_were_not_calibrated_on_are_predicted():
    family = FAMILIES["xc7"]
    model = resource_model(family)
    checks = [point for point in _points(family) if point["checks"]]
    errors = {
        (p["what"], p["model"], *p["sizes"]): lut_error(p, predict(model, p), "sites")
        for p in checks
    }
    assert len(errors) >= 3 and {what for what, *_ in errors} >= {"core", "top:zybo"}
    assert {name: e for name, e in errors.items() if abs(e) > SITES_BAR} == {}


def test_sites_are_counted_at_every_point_of_the_7_series_alone(family):
    for point in _points(family):
        if family.sites:
            # a carry takes four; what it absorbs can't be more than there is
            assert point["sites"] >= max(4 * point["carry"], point["lut"]), point
        else:
            assert "sites" not in point, point


def test_every_synthesized_memory_and_multiplier_is_predicted(family):
    model = resource_model(family)
    for point in _points(family):
        prediction = predict(model, point)
        assert (prediction.bram, prediction.dsp) == (point["bram"], point["dsp"]), point


@pytest.mark.parametrize("name, larger", [("rows", 8), ("cols", 64), ("lanes", 64)])
def test_larger_engines_take_more(family, name, larger):
    model = open_model("shakespeare-115k").model
    bounds, predicted = prove_bounds(model), resource_model(family)
    small = HwConfig(4, 32, 32)
    large = dataclasses.replace(small, **{name: larger})
    few, many = (predicted.core(SizedProgram(model, hw, bounds)) for hw in (small, large))
    assert many.lut > few.lut and many.ff > few.ff
    assert many.dsp >= few.dsp


def test_what_was_not_calibrated_is_predicted_as_another_family():
    """Memories and multipliers as its own; kv260: ``python build.py kv260 --lanes 64``."""
    xc7, xcup = FAMILIES["xc7"], FAMILIES["xcup"]
    assert predicted_as(xcup) == "xc7" and predicted_as(xc7) is None
    assert set(CALIBRATED) == set(FAMILIES) - {"xcup"}
    config, hw = open_model("shakespeare-115k").model, HwConfig()
    sized = SizedProgram(config, hw, prove_bounds(config))
    ours, theirs = (resource_model(family).core(sized) for family in (xcup, xc7))
    assert (ours.bram, ours.dsp, ours.carry) == (theirs.bram, theirs.dsp, theirs.carry)
    assert ours.lut == pytest.approx(theirs.lut, rel=0.1)
    top = ours + resource_model(xcup).host(PROCESSOR, config.config)
    assert top.lut == pytest.approx(11_286, rel=LUT_BAR)
    assert top.sites == pytest.approx(11_988, rel=SITES_BAR)
    assert (top.bram, top.dsp) == (33, 80)
    # what 25 bits do not hold
    assert multiplier_blocks(xcup, 27, 18) == 1 and multiplier_blocks(xc7, 27, 18) == 2


TINY = Point(
    "core", "random:vocab_size=20,d_model=8,n_layers=1,d_ff=16,ctx_len=12,seed=3", (1, 8, 4, "2bit")
)


@pytest.mark.slow
@pytest.mark.parametrize("family", mostly_full_size("xc7"), indirect=True)
def test_a_real_synthesis_agrees(family):
    (counted,) = cells(Run(family.name, (TINY,)))
    resources = family.count(counted)
    prediction = predict(resource_model(family), TINY.as_dict())
    assert (prediction.bram, prediction.dsp) == (resources.bram, resources.dsp)
    assert prediction.lut == pytest.approx(resources.lut, rel=LUT_BAR)


def test_missing_data_is_a_user_error(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "DATA_FILE", tmp_path / "resource_data.json")
    load_data.cache_clear()
    with pytest.raises(UserError) as caught:
        load_data()
    assert str(caught.value) == (
        f"{tmp_path / 'resource_data.json'} is missing; make it with gateformer fit --calibrate"
    )
    (tmp_path / "resource_data.json").write_text('{"families": {}}')
    with pytest.raises(UserError) as caught:
        resource_model(FAMILIES["ecp5"])
    assert str(caught.value) == (
        "no resource data for ecp5; make it with gateformer fit --calibrate --family ecp5"
    )
    load_data.cache_clear()
