"""Lanes for an imported model on a board, and what is said when there are none."""

from __future__ import annotations

import dataclasses
import io
import itertools
import json
import re

import pytest
from rich.console import Console

from gateformer.gateware.decoder.layout import DecoderLayout
from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.model.contract.artifact import open_model
from gateformer.model.support.errors import UserError
from gateformer.platforms.boards.board import board
from gateformer.platforms.sizes.candidates import sizes_text
from gateformer.platforms.sizes.decoder.console import console_more
from gateformer.platforms.sizes.families import limits
from gateformer.platforms.sizes.report import (
    choices_table,
    document,
    from_memory,
    print_search,
)
from gateformer.platforms.sizes.search import search
from gateformer.platforms.sizes.sizing import choose_sizes, nearest_fitting, size_options

from .shapes import FOUR_BITS, GPT2, HUGE, LLAMA

ZYBO, LARGER = board("zybo"), board("arty-a7-100")


def of(spec: str):
    return open_model(spec, imported=True).model


@pytest.fixture(scope="module")
def llama():
    return of(LLAMA)


@pytest.mark.parametrize("target", [LARGER, board("ulx3s"), board("tang-primer-20k")])
@pytest.mark.parametrize("spec", [LLAMA, GPT2, FOUR_BITS])
def test_the_choice_has_the_fewest_cycles_of_what_fits(spec, target):
    model = of(spec)
    candidates = search(model, target)
    most = limits(target.family, target.budget)
    fitting = [c for c in candidates if all(getattr(c.need, name) <= most[name] for name in most)]
    if not fitting:
        return
    hw = choose_sizes(model, target)
    assert (hw.rows, hw.cols) == (1, 1)
    chosen = next(c for c in candidates if c.hw == hw)
    assert chosen.cycles == min(c.cycles for c in fitting)


def test_more_lanes_take_fewer_cycles_and_more_of_all_else(llama):
    candidates = sorted(search(llama, LARGER), key=lambda c: c.hw.lanes)
    for few, many in itertools.pairwise(candidates):
        assert few.cycles > many.cycles
        assert few.need.dsp < many.need.dsp
    least, most = candidates[0].need, candidates[-1].need
    assert all(getattr(least, name) < getattr(most, name) for name in ("lut", "ff", "sites"))


def test_given_lanes_are_kept_and_nothing_else_is_taken(llama):
    assert choose_sizes(llama, LARGER, lanes=8).lanes == 8
    assert choose_sizes(llama, board("sim"), lanes=5).lanes == 5
    with pytest.raises(UserError) as caught:
        choose_sizes(llama, LARGER, rows=2, lanes=8)
    assert str(caught.value) == (
        "--rows 2 --lanes 8: the core of an imported model has --lanes alone; leave others out"
    )
    with pytest.raises(UserError, match=r"^lanes must be an integer from 1 to 8,192, not 0$"):
        choose_sizes(llama, LARGER, lanes=0)


@pytest.mark.parametrize("spec", [LLAMA, GPT2, HUGE])
def test_the_simulation_gets_64_lanes_less_what_would_be_idle(spec):
    model = of(spec)
    hw = choose_sizes(model, board("sim"))
    assert hw == dataclasses.replace(board("sim").default_hw, rows=1, cols=1, lanes=hw.lanes)
    assert hw.lanes == DecoderLayout(model.config, 64).lanes <= 64


def test_lanes_that_do_not_fit_name_those_that_do(llama):
    small = dataclasses.replace(LARGER, budget=dataclasses.replace(LARGER.budget, dsp=30))
    best = choose_sizes(llama, small)
    assert best.lanes < 24
    with pytest.raises(UserError) as caught:
        choose_sizes(llama, small, lanes=24)
    assert re.fullmatch(
        r"the model does not fit arty-a7-100 with --lanes 24: it needs about \d+ DSP, \d+ more "
        rf"than the 30 there are; try --lanes {best.lanes}",
        str(caught.value),
    )


def test_a_model_whose_numbers_are_too_many_is_refused_with_the_bits():
    with pytest.raises(UserError) as caught:
        choose_sizes(of(HUGE), ZYBO)
    assert re.match(
        r"the model does not fit zybo: its weights take [\d,]+ bits, ", str(caught.value)
    )


def test_smaller_lanes_take_clearly_less(llama):
    candidates = {c.hw: c for c in search(llama, LARGER)}
    given = max(candidates, key=lambda hw: hw.lanes)
    smaller = nearest_fitting(llama, LARGER, given)
    assert smaller.lanes < given.lanes
    assert candidates[smaller].need.lut < 0.95 * candidates[given].need.lut


def test_sizes_of_an_imported_model_are_its_lanes(llama):
    hw = HwConfig(rows=1, cols=1, lanes=24)
    assert (sizes_text(hw, True), size_options(llama, hw)) == ("24 lanes", "--lanes 24")


def test_tables_say_that_the_clock_is_assumed(llama):
    ulx3s = board("ulx3s")
    console = Console(file=io.StringIO(), width=160)
    candidates = search(llama, ulx3s)
    print_search("mine", candidates, ulx3s, console)
    text = console.file.getvalue()
    assert "90 MHz (assumed)" in text and "lanes: fewest cycles of the" in text
    result = document("mine", candidates, ulx3s)
    assert json.loads(json.dumps(result)) == result
    assert result["clock_assumed"] and sum(c["chosen"] for c in result["candidates"]) == 1


def test_the_clock_of_a_board_without_candidates_is_assumed_too(llama):
    routed, small = board("ulx3s"), board("ulx3s", "12F")
    assert not routed.clock_assumed and document("mine", [], small)["clock_assumed"]
    table = choices_table("mine", [(routed, search(llama, routed)), (small, [])])
    assert table.caption == f"tokens/s at the boards' clocks, assumed for ulx3s, {small.label}"


@pytest.mark.parametrize(
    ("name", "more"), [("tang-primer-20k", 3), ("ulx3s", 2), ("arty-a7-100", 1)]
)
def test_the_console_s_memories_count(name, more):
    """Pieces and where they begin; of the Gowin family top-p, too (18 Kb, 7 series 36 Kb)."""
    assert console_more(board(name).family, of(LLAMA)).bram == more


def test_boards_that_read_a_model_from_memory_are_named():
    zybo, arty = board("zybo"), board("arty-a7-35")
    imported = open_model(LLAMA, imported=True)
    assert from_memory(imported, [(zybo, []), (arty, [])]) == (
        f"block memories do not hold {imported.name}; a core that reads external memory is there "
        f"for {zybo.label}: gateformer fit … --board NAME predicts it"
    )
    assert from_memory(imported, [(arty, [])]) is None
    assert from_memory(open_model("shakespeare-115k"), [(zybo, [])]) is None
