"""The search of sizes within what a toolchain can use of the device."""

import dataclasses
import sys

import pytest

from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.model.contract.artifact import open_model
from gateformer.model.support.errors import UserError
from gateformer.platforms.boards.board import board
from gateformer.platforms.families.toolchain_limits import toolchain_limits
from gateformer.platforms.place_and_route.toolchain_board import for_toolchain
from gateformer.platforms.sizes import fit
from gateformer.platforms.sizes.families import limits
from gateformer.platforms.sizes.report import document
from gateformer.platforms.sizes.resource_model import Prediction
from gateformer.platforms.sizes.search import Candidate, choose, reason, search, shortage
from gateformer.platforms.sizes.sizing import choose_sizes

ZYBO = for_toolchain(board("zybo"), "openxc7")
BOARDS = ("zybo", "zybo-z7-20", "arty-a7-35")
MODEL = "shakespeare-115k"


def test_limits_are_shares_of_the_device():
    budget = ZYBO.budget
    usable = toolchain_limits(budget, {"DSP48E1": 0.5, "CARRY4": 0.25, "LUT sites": 0.75})
    assert usable == {"dsp": 40, "carry": 1_100, "sites": 13_200}
    assert limits(ZYBO.family, budget, {"DSP48E1": 0.5}) == {
        **limits(ZYBO.family, budget),
        "dsp": 40,
    }
    # a share above what a choice may take anyway changes nothing
    assert limits(ZYBO.family, budget, {"DSP48E1": 2})["dsp"] == budget.dsp


def test_a_resource_of_the_toolchain_is_exceeded():
    """And what a prediction does not have is not judged."""
    model = open_model(MODEL).model
    fixed = {"rows": 8, "cols": 64, "lanes": 64, "packing": "2bit"}
    (whole,) = search(model, ZYBO, fixed)
    assert {"dsp", "carry"} <= set(whole.exceeded) & set(whole.missing)
    (device,) = search(model, board("zybo"), fixed)
    assert device.need == whole.need and device.fits
    roomy = dataclasses.replace(ZYBO, limits={"CARRY4": 1.0, "DSP48E1": 1.0})
    (fits,) = search(model, roomy, fixed)
    assert fits.fits


@pytest.mark.parametrize("name", BOARDS)
def test_the_choice_keeps_to_the_limits(name):
    target = for_toolchain(board(name), "openxc7")
    model = open_model(MODEL).model
    candidates = search(model, target)
    chosen = choose(candidates)
    usable = toolchain_limits(target.budget, target.limits)
    assert set(usable) == {"dsp", "carry", "sites"}
    assert chosen.fits and chosen.hw == choose_sizes(model, target)
    for resource, most in usable.items():
        assert getattr(chosen.need, resource, 0) <= most
    assert chosen.need.carry > 0
    # no faster sizes keep to them
    assert all(c.exceeded for c in candidates if c.cycles < chosen.cycles)


def test_a_shortage_says_whose_it_is():
    need = Prediction(100, 100, 1, 60)
    candidate = Candidate(HwConfig(4, 64, 64), 100.0, need, ("dsp",), ("dsp",))
    assert shortage([candidate], ZYBO) == (
        "it needs about 60 DSP, 20 more than the 40 openxc7 can use"
    )
    assert choose([candidate]) is None


def test_a_reason_counts_what_the_toolchain_can_use():
    chosen = Candidate(HwConfig(4, 64, 32), 200.0, Prediction(1000, 100, 1, 40, 900))
    faster = Candidate(
        HwConfig(8, 64, 32), 100.0, Prediction(1, 1, 1, 48, 1_700), ("dsp", "carry"), ("dsp",)
    )
    assert reason([chosen, faster], chosen, ZYBO).endswith(
        "of 1 faster 1 need more DSP (40 of 40 taken), 1 need more CARRY4 (900 of 1,584 taken)"
    )


def test_the_command_searches_for_a_toolchain(monkeypatch, capsys):
    arguments = [MODEL, "--board", "zybo", "--toolchain", "openxc7", "--no-picture"]
    monkeypatch.setattr(sys, "argv", ["fit", *arguments])
    fit.main()
    text = " ".join(capsys.readouterr().out.split())
    assert "openxc7 is given at most 40 DSP48E1, 1,584 CARRY4, 11,440 LUT sites" in text
    chosen = choose(search(open_model(MODEL).model, ZYBO))
    assert f"choice: {chosen.hw.rows} × {chosen.hw.cols}, {chosen.hw.lanes} lanes" in text


def test_the_document_has_the_toolchain_s_clock():
    candidates = search(open_model(MODEL).model, ZYBO)
    assert document(MODEL, candidates, ZYBO)["clock_mhz"] == 50


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--toolchain", "openxc7"], "--toolchain is for one board; name it with --board"),
        (
            ["--board", "zybo", "--toolchain", "ise"],
            "unknown toolchain 'ise' for zybo; known: vivado, openxc7",
        ),
        (
            ["--board", "zybo", "--toolchain", "openxc7", "--verify"],
            "--verify synthesizes for the whole device; leave --toolchain out",
        ),
    ],
)
def test_errors_are_one_line(monkeypatch, arguments, message):
    monkeypatch.setattr(sys, "argv", ["fit", MODEL, *arguments])
    with pytest.raises(UserError) as caught:
        fit.main()
    assert str(caught.value) == message
