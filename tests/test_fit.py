"""The search of sizes: candidates, Pareto front, choice, and what the command says and writes."""

from __future__ import annotations

import dataclasses
import json
import random
import sys

import pytest

from gateware.hw_config import HwConfig
from gateware.layout import Layout
from model.artifact import open_model
from model.config import ModelConfig
from model.errors import UserError
from platforms import fit, fit_verify
from platforms.board import board
from platforms.family import UNITS, Resources
from platforms.fit_families import FAMILIES, LUT_LIMIT, limits
from platforms.fit_jobs import run_jobs
from platforms.fit_picture import picture
from platforms.fit_report import document, tokens_per_second
from platforms.fit_search import (
    Candidate,
    choose,
    pareto_front,
    reason,
    search,
    sizes,
)
from platforms.fit_verify import GRID, WITHIN, Verdict, conclusion, grid
from platforms.resource_model import Prediction

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
        assert hw.cols <= 40 + hw.rows and Layout(CONFIG, hw).lanes <= hw.lanes
    # of lanes that lay the array out in the same way there is one
    places = [
        (hw.rows, hw.cols, hw.packing, Layout(CONFIG, hw).word_groups, Layout(CONFIG, hw).segments)
        for hw in found
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
            unit for unit in UNITS if getattr(candidate.need, unit) > most[unit]
        )


def test_reason_names_the_resource_that_stops_faster_sizes():
    need = Prediction(1000, 100, 1, 80)
    chosen = Candidate(HwConfig(8, 64, 64), 800.0, need)
    faster = [
        Candidate(HwConfig(8, 128, 64), 700.0, Prediction(1500, 1, 1, 90), ("dsp",)),
        Candidate(HwConfig(16, 64, 64), 600.0, Prediction(1500, 1, 1, 96), ("lut", "dsp")),
    ]
    slower = Candidate(HwConfig(4, 64, 64), 900.0, need)
    assert reason([chosen, *faster, slower], chosen, ZYBO) == (
        "8 × 64, 64 lanes, 2bit: fewest cycles of the 2 of 4 sizes that fit; faster ones need more "
        "DSP (80 of 80 taken)"
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


def _main(monkeypatch, capsys, *arguments) -> str:
    monkeypatch.setattr(sys, "argv", ["fit", *arguments])
    fit.main()
    return capsys.readouterr().out


def test_the_command_prints_draws_and_writes(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    text = _main(monkeypatch, capsys, SPEC, "--board", "ulx3s", "--variant", "25F", "--json", "f")
    assert "Pareto front" in text and "choice: " in text and "fewest cycles of the" in text
    (drawn,) = (tmp_path / "build").iterdir()
    assert drawn.name.startswith("fit-ulx3s-25f-random-") and drawn.suffix == ".svg"
    assert json.loads((tmp_path / "f").read_text())["board"] == "ulx3s-25f"


def test_without_a_board_there_is_one_line_for_each(monkeypatch, capsys, tmp_path):
    text = _main(monkeypatch, capsys, SPEC, "--json", str(tmp_path / "all.json"))
    labels = [entry["board"] for entry in json.loads((tmp_path / "all.json").read_text())]
    assert {"zybo", "cora-z7", "ulx3s", "ulx3s-12f", "tang-nano-9k"} <= set(labels)
    assert all(label in text for label in labels)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--board", "sim"], "sim has no budget to fit; choose one of zybo, "),
        (["--board", "zyb"], "unknown board 'zyb'; known: "),
        (["--variant", "25F"], "--variant needs --board"),
        (["--family", "xc7"], "--family goes with --calibrate; a board has its family"),
        (["--calibrate", "--family", "ice40"], "unknown family 'ice40'; known: xc7, ecp5, gowin"),
        (["--calibrate", "--jobs", "0"], "jobs must be at least 1, not 0"),
        (
            ["--board", "zybo", "--no-picture", "--json", "no/f.json"],
            "--json no/f.json: there is no directory no",
        ),
    ],
)
def test_errors_are_one_line(monkeypatch, arguments, message):
    monkeypatch.setattr(sys, "argv", ["fit", SPEC, *arguments])
    with pytest.raises(UserError) as caught:
        fit.main()
    assert str(caught.value).startswith(message) and "\n" not in str(caught.value)


def test_without_matplotlib_there_is_the_table_alone(monkeypatch, capsys, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["fit", SPEC, "--board", "zybo"])
    fit.main()
    shown = capsys.readouterr()
    assert "choice: " in shown.out and not list(tmp_path.rglob("*.svg"))
    assert (
        "no picture: the picture needs matplotlib: pip install 'gateformer[fit]', or add "
        "--no-picture" in shown.err.replace("\n", " ")
    )


def test_the_grid_holds_the_choice_and_its_rivals(searched):
    chosen = choose(searched)
    points = grid(searched, chosen, ZYBO)
    assert points[0] is chosen and len(points) <= GRID
    assert len({c.cycles for c in points}) == len(points)
    assert all(not set(c.exceeded) - {"lut"} for c in points)


def _row(candidate: Candidate, lut: int) -> tuple[Candidate, Resources]:
    return candidate, Resources(lut, 10, 1, 1, {})


CHOSEN = Candidate(HwConfig(8, 64, 64), 1000.0, Prediction(100, 1, 1, 1))


def test_a_verdict_compares_with_the_fastest_that_really_fits():
    chosen = CHOSEN
    better = dataclasses.replace(chosen, cycles=1000 / (1 + WITHIN) - 1)
    near = dataclasses.replace(chosen, cycles=990.0)
    rows = [_row(chosen, 100), _row(better, 100)]
    assert not Verdict(chosen, better, rows).passed
    assert conclusion(Verdict(chosen, better, rows)) == (
        "failed: the choice 8 × 64, 64 lanes, 2bit takes 5.1% more cycles than "
        "8 × 64, 64 lanes, 2bit, the fastest of the grid that fits"
    )
    assert Verdict(chosen, near, rows).passed
    assert Verdict(chosen, chosen, rows).passed
    assert conclusion(Verdict(chosen, None, rows)) == (
        "failed: the choice 8 × 64, 64 lanes, 2bit does not fit"
    )


def test_boards_that_nothing_fits_are_passed_over(monkeypatch, capsys):
    fitting = Verdict(CHOSEN, CHOSEN, [_row(CHOSEN, 100)])

    def verify(name, target, **_):
        if target.name == "tang-nano-9k":
            raise fit_verify.NoChoice("no sizes fit")
        return fitting

    monkeypatch.setattr(fit_verify, "verify", verify)
    monkeypatch.setattr(sys, "argv", ["fit", SPEC, "--verify"])
    assert fit.main() == 0
    shown = capsys.readouterr().out
    assert shown.count("no sizes fit") == 1 and shown.count("passed: the choice") > 5
    monkeypatch.setattr(sys, "argv", ["fit", SPEC, "--verify", "--board", "tang-nano-9k"])
    with pytest.raises(UserError, match="no sizes fit"):
        fit.main()


def _square(number: int) -> int:
    return number * number


def test_jobs_give_every_result_with_its_item():
    items = [3, 1, 2]
    one = list(run_jobs(_square, items, what="squares"))
    assert one == [(3, 9), (1, 1), (2, 4)]
    pytest.importorskip("joblib")
    assert sorted(run_jobs(_square, items, what="squares", jobs=2)) == sorted(one)


def test_jobs_run_on_a_dask_scheduler():
    distributed = pytest.importorskip("distributed")
    options = {"processes": False, "n_workers": 1, "threads_per_worker": 1}
    with distributed.LocalCluster(dashboard_address=None, **options) as cluster:
        results = run_jobs(_square, [3, 1, 2], what="squares", scheduler=cluster.scheduler_address)
        assert sorted(results) == [(1, 1), (2, 4), (3, 9)]


def test_tokens_per_second_are_clock_over_cycles():
    candidate = Candidate(HwConfig(), 500.0, Prediction(1, 1, 1, 1))
    assert tokens_per_second(candidate, ZYBO) == 250_000
