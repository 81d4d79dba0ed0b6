"""The check of a choice: what is synthesized beside it, and the verdict."""

from __future__ import annotations

import dataclasses
import sys

import pytest

from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.model.contract.artifact import open_model
from gateformer.model.support.errors import UserError
from gateformer.platforms.boards.board import board
from gateformer.platforms.families.family import Resources
from gateformer.platforms.sizes import fit
from gateformer.platforms.sizes import verify as fit_verify
from gateformer.platforms.sizes.resource_model import Prediction
from gateformer.platforms.sizes.search import Candidate, choose, search
from gateformer.platforms.sizes.verify import GRID, WITHIN, Verdict, conclusion, fits, grid

from .decoder.shapes import HUGE

SPEC = "random:vocab_size=20,d_model=16,n_heads=2,n_layers=1,d_ff=32,ctx_len=12,seed=3"
ZYBO = board("zybo")


@pytest.fixture(scope="module")
def searched():
    return search(open_model(SPEC).model, ZYBO)


def test_the_grid_holds_the_choice_and_its_rivals(searched):
    chosen = choose(searched)
    points = grid(searched, chosen, ZYBO)
    assert points[0] is chosen and len(points) <= GRID
    assert len({c.cycles for c in points}) == len(points)
    assert all(not set(c.exceeded) - {"lut", "sites"} for c in points)


def _row(candidate: Candidate, lut: int) -> tuple[Candidate, Resources]:
    return candidate, Resources(lut, 10, 1, 1, {}, sites=lut + 20, carry=10)


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


def test_a_choice_that_takes_too_many_lut_sites_does_not_fit():
    few = Resources(lut=10_000, ff=10, bram=1, dsp=1, detail={}, sites=14_960, carry=1)
    assert fits(few, ZYBO)
    assert not fits(dataclasses.replace(few, sites=14_961), ZYBO)
    # of other families they are not counted
    assert fits(dataclasses.replace(few, sites=None), board("ulx3s"))


def test_a_board_with_too_little_memory_has_no_choice():
    with pytest.raises(fit_verify.NoChoice, match=r"does not fit tang-nano-9k: its weights take"):
        fit_verify.verify(f"{HUGE},n_layers=1", board("tang-nano-9k"))


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
    monkeypatch.setattr(fit, "boards_with_budget", lambda: [board("tang-nano-9k")] * 2)
    assert fit.main() == 1
    monkeypatch.setattr(sys, "argv", ["fit", SPEC, "--verify", "--board", "tang-nano-9k"])
    with pytest.raises(UserError, match="no sizes fit"):
        fit.main()
