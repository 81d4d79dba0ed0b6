"""The search of sizes: candidates, Pareto front and choice."""

from __future__ import annotations

import dataclasses
import io
import json
import random
import re

import pytest
from rich.console import Console

from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.gateware.plan.layout import Layout
from gateformer.model.contract.artifact import open_model
from gateformer.model.contract.config import ModelConfig
from gateformer.platforms.boards.board import board
from gateformer.platforms.families.family import UNITS
from gateformer.platforms.sizes.candidates import Candidate, sizes
from gateformer.platforms.sizes.families import FAMILIES, LUT_LIMIT, device_total, limits
from gateformer.platforms.sizes.picture import picture
from gateformer.platforms.sizes.report import (
    choices_table,
    document,
    print_search,
    tokens_per_second,
)
from gateformer.platforms.sizes.resource_model import Prediction
from gateformer.platforms.sizes.search import choose, pareto_front, reason, search

SPEC = "random:vocab_size=20,d_model=16,n_heads=2,n_layers=1,d_ff=32,ctx_len=12,seed=3"
ZYBO = board("zybo")
CONFIG = ModelConfig(vocab_size=20, d_model=24, n_heads=2, n_layers=1, d_ff=40, ctx_len=8)


@pytest.fixture(scope="module")
def searched():
    return search(open_model(SPEC).model, ZYBO)


def _random_candidates(rng: random.Random, number: int) -> list[Candidate]:
    """Candidates with many ties; more than 8 LUTs exceed the limit, more than 10 the device."""
    candidates = []
    for i in range(number):
        lut, other = rng.randint(1, 12), rng.choice([(), (), (), ("bram",), ("ff", "dsp")])
        exceeded = tuple(unit for unit in UNITS if unit in other or (unit == "lut" and lut > 8))
        missing = tuple(unit for unit in exceeded if unit != "lut" or lut > 10)
        need = Prediction(float(lut), 0, 0, 0)
        hw, cycles = HwConfig(1, 1 + i, 1), float(rng.randint(1, 12))
        candidates.append(Candidate(hw, cycles, need, exceeded, missing))
    return candidates


def _dominates(a: Candidate, b: Candidate) -> bool:
    worse = a.cycles > b.cycles or a.need.lut > b.need.lut
    return not worse and (a.cycles < b.cycles or a.need.lut < b.need.lut)


@pytest.mark.parametrize("seed", range(60))
def test_the_front_is_what_nothing_dominates(seed):
    rng = random.Random(seed)
    candidates = _random_candidates(rng, rng.randint(0, 40))
    possible = [c for c in candidates if not set(c.exceeded) - {"lut"}]
    expected = {
        (c.cycles, c.need.lut) for c in possible if not any(_dominates(o, c) for o in possible)
    }
    front = pareto_front(candidates)
    assert [(c.cycles, c.need.lut) for c in front] == sorted(expected)
    assert all(c in possible for c in front)


@pytest.mark.parametrize("seed", range(60))
def test_the_choice_is_the_fastest_that_fits_and_of_equals_the_smallest(seed):
    rng = random.Random(seed)
    candidates = _random_candidates(rng, rng.randint(1, 30))
    fitting = [(c.cycles, c.need.lut) for c in candidates if not c.exceeded]
    chosen = choose(candidates)
    held = [c.need.lut for c in candidates if not c.missing]
    if not held:
        assert chosen is None
    elif not fitting:
        assert chosen.need.lut == min(held) and not chosen.missing
    else:
        assert (chosen.cycles, chosen.need.lut) == min(fitting)
        assert chosen.fits and (chosen.cycles, chosen.need.lut) in {
            (c.cycles, c.need.lut) for c in pareto_front(candidates)
        }


def test_candidates_are_valid_useful_and_different():
    base = HwConfig(tree_levels=1)
    found = sizes(CONFIG, base, {})
    assert len(set(found)) == len(found) > 50
    for hw in found:
        assert hw.tree_levels == 1
        assert hw.cols <= 40 + hw.rows and Layout(CONFIG, hw).products <= hw.lanes
    # of lanes that lay the array out in the same way there is one
    layouts = [(hw, Layout(CONFIG, hw)) for hw in found]
    places = [
        (hw.rows, hw.cols, hw.packing, layout.word_groups, layout.segments, layout.halves)
        for hw, layout in layouts
    ]
    assert len(set(places)) == len(places)
    assert {hw.cols for hw in found if hw.rows == 8} == {8, 16, 24, 32, 40}


def test_fixed_sizes_stay():
    fixed = {"rows": 2, "cols": 6, "lanes": 10, "packing": "3in5"}
    assert sizes(CONFIG, HwConfig(), fixed) == [HwConfig(2, 6, 10, "3in5")]
    assert sizes(CONFIG, HwConfig(), {"rows": 4, "cols": 6}) == []


def test_no_engine_is_larger_than_the_boards_unless_asked_for():
    model = open_model(SPEC).model
    small = dataclasses.replace(ZYBO, default_hw=HwConfig(2, 8, 8))
    assert {(c.hw.rows * c.hw.cols <= 16, c.hw.lanes <= 8) for c in search(model, small)} == {
        (True, True)
    }
    assert [c.hw.lanes for c in search(model, small, {"lanes": 16, "rows": 1, "cols": 8})] == [
        16,
        16,
    ]


def test_limits_leave_luts_to_place_and_route():
    assert limits(FAMILIES["xc7"], ZYBO.budget) == {
        "lut": 0.9 * 17_600,
        "sites": 0.85 * 17_600,
        "ff": 35_200,
        "bram": 60,
        "dsp": 80,
    }
    assert set(LUT_LIMIT) == set(FAMILIES)


def test_a_search_states_exactly_what_is_exceeded(searched):
    most = limits(ZYBO.family, ZYBO.budget)
    assert [c.cycles for c in searched] == sorted(c.cycles for c in searched)
    for candidate in searched:
        assert candidate.exceeded == tuple(
            unit for unit in most if getattr(candidate.need, unit) > most[unit]
        )


def test_sizes_that_take_too_many_lut_sites_are_not_chosen(searched):
    fastest = searched[0]
    lut = int(fastest.need.sites / 0.86)
    assert fastest.need.lut < 0.85 * lut
    board = dataclasses.replace(ZYBO, budget=dataclasses.replace(ZYBO.budget, lut=lut))
    found = search(open_model(SPEC).model, board)
    (same,) = [c for c in found if c.hw == fastest.hw]
    assert same.exceeded == ("sites",) and not same.missing and not same.fits
    chosen = choose(found)
    assert chosen.fits and chosen.need.sites <= 0.85 * lut
    # it is on the front still, drawn dim, and the reason names what is short
    assert same in pareto_front(found)
    assert re.search(
        rf"need more LUT sites \([\d,]+ of {lut:,} taken\)", reason(found, chosen, board)
    )


def test_a_carry_takes_four_of_the_sites():
    total = {name: device_total(ZYBO.budget, name) for name in ("lut", "sites", "carry", "dsp")}
    assert total == {"lut": 17_600, "sites": 17_600, "carry": 4_400, "dsp": 80}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("zybo", "125 MHz (assumed)"),
        ("arty-a7-35", "100 MHz (assumed)"),
        ("ulx3s", "90 MHz"),
        ("tang-primer-20k", "54 MHz (assumed)"),
    ],
)
def test_a_clock_that_nothing_here_routes_is_assumed(name, text):
    assert board(name).clock_text.startswith(text)
    assert board(name).clock_assumed == ("assumed" in text)


def test_tables_show_sites_and_assumed_clocks(searched):
    console = Console(file=io.StringIO(), width=160)
    print_search("tiny", searched, ZYBO, console)
    console.print(choices_table("tiny", [(ZYBO, searched)]))
    text = console.file.getvalue()
    assert text.count("LUT sites") >= 3 and "tokens/s at 125 MHz (assumed)" in text
    assert "tokens/s at the boards' clocks, assumed for zybo" in text
    assert "at most 90% of the LUTs and 85% of the LUT sites (CARRY4 takes four) are taken" in text


def test_reason_names_the_resource_that_stops_faster_sizes():
    need = Prediction(1000, 100, 1, 80)
    chosen = Candidate(HwConfig(8, 64, 64), 800.0, need)
    faster = [
        Candidate(HwConfig(8, 128, 64), 700.0, Prediction(1500, 1, 1, 90), ("dsp",)),
        Candidate(HwConfig(16, 64, 64), 600.0, Prediction(1500, 1, 1, 96), ("lut", "dsp")),
    ]
    slower = Candidate(HwConfig(4, 64, 64), 900.0, need)
    assert reason([chosen, *faster, slower], chosen, ZYBO) == (
        "8 × 64, 64 lanes, 2bit: fewest cycles of the 2 of 4 sizes that fit; of 2 faster 2 need "
        "more DSP (80 of 80 taken), 1 need more LUT (1,000 of 17,600 taken)"
    )
    assert reason([chosen, slower], chosen, ZYBO) == (
        "8 × 64, 64 lanes, 2bit: fewest cycles of the 2 of 2 sizes that fit; the board's clock was "
        "not checked with larger ones"
    )


def test_the_document_has_every_candidate_and_one_choice(searched):
    result = document("tiny", searched, ZYBO)
    assert json.loads(json.dumps(result)) == result
    assert len(result["candidates"]) == len(searched)
    (chosen,) = [c for c in result["candidates"] if c["chosen"]]
    assert chosen["mean_cycles"] == choose(searched).cycles
    assert chosen["tokens_per_second"] == pytest.approx(125e6 / chosen["mean_cycles"], abs=0.1)
    assert sum(c["pareto"] for c in result["candidates"]) == len(pareto_front(searched))
    assert chosen["pareto"] and result["board"] == "zybo"


def test_the_picture_is_the_same_for_the_same_search(searched):
    svg = picture("tiny", searched, ZYBO)
    assert svg == picture("tiny", searched, ZYBO)
    for text in ("<svg", "choice", "limit", "budget", "tiny on Digilent Zybo Z7-10"):
        assert text in svg


def test_tokens_per_second_are_clock_over_cycles():
    candidate = Candidate(HwConfig(), 500.0, Prediction(1, 1, 1, 1))
    assert tokens_per_second(candidate, ZYBO) == 250_000
