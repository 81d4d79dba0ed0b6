"""Sizes for a model on a board, and what is said when there are none."""

from __future__ import annotations

import pytest

from gateware.bounds import prove_bounds
from gateware.hw_config import HwConfig
from gateware.program import Program
from model.artifact import open_model
from model.errors import UserError
from model.random_model import random_model
from platforms.board import board
from platforms.flow import refuse_if_too_large
from platforms.sizing import block_memories, choose_sizes, estimate, nearest_fitting
from platforms.synthesis import Resources

ZYBO = board("zybo")
SYNTHESIZED = {
    # whole Zybo tops of the shipped model, yosys synth_xilinx: LUT, BRAM36, DSP
    HwConfig(8, 64, 64): (11041, 32.5, 80),
    HwConfig(4, 64, 32): (7347, 21.0, 40),
    HwConfig(4, 32, 16, "3in5"): (5380, 19.5, 24),
}


@pytest.fixture(scope="module")
def shipped():
    return open_model("shakespeare-115k").model


@pytest.mark.parametrize("hw", SYNTHESIZED)
def test_estimates_are_near_the_synthesis(hw, shipped):
    lut, bram36, dsp = SYNTHESIZED[hw]
    guess = estimate(shipped, prove_bounds(shipped), hw)
    assert guess.lut == pytest.approx(lut, rel=0.1)
    assert guess.bram36 == pytest.approx(bram36, abs=2)
    assert guess.dsp == dsp


@pytest.mark.parametrize(
    "depth, width, expected", [(512, 36, 0.5), (513, 36, 1), (768, 64, 2), (0, 8, 0), (1, 1, 0.5)]
)
def test_block_memories(depth, width, expected):
    assert block_memories(depth, width) == expected


def test_the_shipped_model_gets_the_reference_sizes(shipped):
    assert choose_sizes(shipped, ZYBO) == HwConfig(8, 64, 64)
    assert choose_sizes(shipped, ZYBO, lanes=32) == HwConfig(8, 64, 32)


def test_a_tiny_model_gets_no_idle_engines():
    hw = choose_sizes(random_model("random:d_model=4,n_heads=2,d_ff=8"), board("sim"))
    assert hw.cols <= 8 and hw.lanes <= 4


def test_sizes_that_do_not_fit_name_those_that_do(shipped):
    with pytest.raises(UserError) as caught:
        choose_sizes(shipped, ZYBO, rows=16, cols=128)
    text = str(caught.value)
    assert text.startswith("the model does not fit zybo with --rows 16 --cols 128: it needs about ")
    assert text.endswith("than the 17,600 there are; try --rows 8 --cols 64 --lanes 64")


def test_a_design_that_turns_out_too_large_names_smaller_sizes(shipped):
    program = Program(shipped, HwConfig(8, 64, 64))
    used = Resources(lut=18_000, ff=10_000, bram36=32.5, dsp=80, detail={})
    with pytest.raises(UserError) as caught:
        refuse_if_too_large(program, ZYBO, used)
    smaller = nearest_fitting(shipped, ZYBO, program.hw)
    assert smaller.rows * smaller.cols < 8 * 64 or smaller.lanes < 64
    assert str(caught.value) == (
        "the design does not fit zybo: 18,000 LUT, 400 more than the 17,600 there are; "
        f"try --rows {smaller.rows} --cols {smaller.cols} --lanes {smaller.lanes}"
    )


def test_a_design_that_fits_passes(shipped):
    used = Resources(lut=17_600, ff=35_200, bram36=60, dsp=80, detail={})
    refuse_if_too_large(Program(shipped, HwConfig(8, 64, 64)), ZYBO, used)
