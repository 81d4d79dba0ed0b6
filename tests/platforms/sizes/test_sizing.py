"""Sizes for a model on a board, and what is said when there are none."""

from __future__ import annotations

import re

import pytest

from gateformer.gateware.compiler.program import Program
from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.model.contract.artifact import open_model
from gateformer.model.contract.random_model import random_model
from gateformer.model.support.errors import UserError
from gateformer.platforms.boards.board import board
from gateformer.platforms.building.board_flow import refuse_if_too_large
from gateformer.platforms.families.family import UNITS, Resources
from gateformer.platforms.sizes.report import clock_assumed, clock_text
from gateformer.platforms.sizes.search import NO_FIT_ADVICE, choose, no_fit_advice, search
from gateformer.platforms.sizes.sizing import choose_sizes, nearest_fitting, size_options

ZYBO = board("zybo")
BOARDS = (ZYBO, board("ulx3s", "25F"), board("tang-primer-20k"))


@pytest.fixture(scope="module")
def shipped():
    return open_model("shakespeare-115k").model


@pytest.mark.parametrize("target", BOARDS, ids=lambda target: target.label)
def test_the_sizes_are_the_choice_of_the_search(shipped, target):
    hw = choose_sizes(shipped, target)
    assert hw == choose(search(shipped, target)).hw
    for name in ("tree_levels", "array_registers", "norm_registers", "result_registers"):
        assert getattr(hw, name) == getattr(target.default_hw, name)


def test_given_sizes_are_kept(shipped):
    fixed = {"rows": 4, "cols": 32, "packing": "3in5"}
    hw = choose_sizes(shipped, ZYBO, **fixed)
    assert {name: getattr(hw, name) for name in fixed} == fixed
    assert choose_sizes(shipped, ZYBO, lanes=32).lanes == 32


def test_an_invalid_size_is_reported_as_such(shipped):
    with pytest.raises(UserError, match=r"^cols must be an integer from 1 to 8,192, not 0$"):
        choose_sizes(shipped, ZYBO, cols=0)


def test_sizes_that_do_not_go_together_are_refused(shipped):
    for target in (ZYBO, board("sim")):
        with pytest.raises(UserError) as caught:
            choose_sizes(shipped, target, rows=8, cols=12)
        assert str(caught.value).startswith("cols must be a multiple of rows (8), not 12")
        with pytest.raises(UserError) as caught:
            choose_sizes(shipped, target, lanes=12, rows=8)
        assert str(caught.value).startswith("lanes must be a multiple of rows (8), not 12")


def test_the_simulation_gets_its_default_sizes(shipped):
    sim = board("sim")
    assert choose_sizes(shipped, sim) == sim.default_hw
    assert choose_sizes(shipped, sim, lanes=24).lanes == 24
    assert choose_sizes(shipped, sim, rows=16) == HwConfig(16, 64, 64)
    assert choose_sizes(shipped, sim, cols=4) == HwConfig(4, 4, 64)


def test_a_tiny_model_gets_no_idle_engines():
    hw = choose_sizes(random_model("random:d_model=4,n_heads=2,d_ff=8"), board("sim"))
    assert hw.cols <= 8 and hw.lanes <= 4


def test_sizes_that_do_not_fit_name_those_that_do(shipped):
    with pytest.raises(UserError) as caught:
        choose_sizes(shipped, ZYBO, rows=16, cols=128)
    need, over, options = re.fullmatch(
        r"the model does not fit zybo with --rows 16 --cols 128: it needs about ([\d,]+) LUT, "
        r"([\d,]+) more than the 17,600 there are; try (.*)",
        str(caught.value),
    ).groups()
    need, over = (int(text.replace(",", "")) for text in (need, over))
    assert abs(need - over - 17_600) <= 1
    assert options == size_options(shipped, choose_sizes(shipped, ZYBO))


def test_a_model_that_fits_nowhere_names_what_is_short(shipped):
    nano = board("tang-nano-9k")
    need = min(c.need.bram for c in search(shipped, nano) if c.exceeded == ("bram",))
    assert need > nano.budget.bram
    with pytest.raises(UserError) as caught:
        choose_sizes(shipped, nano)
    text = str(caught.value)
    assert re.match(
        r"the model does not fit tang-nano-9k: it needs about \d+ BRAM, \d+ more ", text
    )
    assert text.endswith(" than the 26 there are; train a smaller model or choose a larger board")


def test_a_design_that_turns_out_too_large_names_smaller_sizes(shipped):
    program = Program(shipped, HwConfig(8, 64, 64))
    used = Resources(lut=18_000, ff=10_000, bram=32.5, dsp=80, detail={})
    with pytest.raises(UserError) as caught:
        refuse_if_too_large(program, ZYBO, used)
    smaller = nearest_fitting(shipped, ZYBO, program.hw)
    assert smaller.rows <= 8 and smaller.cols <= 64 and smaller.lanes <= 64
    assert (smaller.rows, smaller.cols, smaller.lanes) != (8, 64, 64)
    assert str(caught.value) == (
        "the design does not fit zybo: 18,000 LUT, 400 more than the 17,600 there are; "
        f"try {size_options(shipped, smaller)}"
    )


def test_smaller_sizes_take_clearly_less(shipped):
    candidates = {c.hw: c for c in search(shipped, ZYBO)}
    given = choose_sizes(shipped, ZYBO)
    smaller = candidates[nearest_fitting(shipped, ZYBO, given)]
    assert smaller.need.lut < 0.95 * candidates[given].need.lut
    assert all(getattr(smaller.need, unit) <= getattr(ZYBO.budget, unit) for unit in UNITS)


def test_a_design_that_fits_passes(shipped):
    used = Resources(lut=17_600, ff=35_200, bram=60, dsp=80, detail={})
    refuse_if_too_large(Program(shipped, HwConfig(8, 64, 64)), ZYBO, used)


def test_options_name_the_packing_only_if_it_is_not_the_default(shipped):
    assert size_options(shipped, HwConfig(4, 32, 16)) == "--rows 4 --cols 32 --lanes 16"
    assert size_options(shipped, HwConfig(4, 32, 16, "3in5")).endswith(" --packing 3in5")


def test_a_trained_model_may_have_one_row_and_one_column(shipped):
    """As the core of an imported one has, which has no ternary engine."""
    hw = HwConfig(1, 1, 64)
    assert size_options(shipped, hw) == "--rows 1 --cols 1 --lanes 64"
    (found,) = search(shipped, ZYBO, {"rows": 1, "cols": 1, "lanes": 64, "packing": "2bit"})
    assert found.text == "1 × 1, 64 lanes, 2bit"
    assert clock_assumed([found], ZYBO) == ZYBO.clock_assumed
    assert no_fit_advice([found]) == NO_FIT_ADVICE


def test_a_routed_clock_is_that_of_one_core(shipped):
    ulx3s = board("ulx3s").with_streams(True)
    fixed = {"rows": 1, "cols": 16, "lanes": 4, "packing": "2bit"}
    one, two = (search(shipped, ulx3s, fixed, cores=cores)[0] for cores in (1, 2))
    assert clock_text([one], ulx3s) == "64 MHz"
    assert clock_text([one, two], ulx3s) == "64 MHz (routed with one core, assumed with more)"
    assert clock_text([one, two], ZYBO) == "125 MHz (assumed)"
