"""What is said of lanes that a user asks for, and that would be idle."""

from __future__ import annotations

import re

import pytest

from gateformer.gateware.host.any_core import compile_model
from gateformer.model.contract.artifact import open_model
from gateformer.platforms.boards.board import board
from gateformer.platforms.sizes.lanes_remark import lanes_remark
from gateformer.platforms.sizes.measurement import measured
from gateformer.platforms.sizes.sizing import choose_sizes

from .decoder.shapes import FOUR_BITS, LLAMA

TINY = "random:vocab_size=20,d_model=16,n_heads=2,n_layers=1,d_ff=32,ctx_len=12,seed=3"
"""Two heads of 8."""
TELLS = re.compile(
    r"--lanes (\d+) leaves lanes idle: it takes ([\d,]+) cycles per token, --lanes (\d+) ([\d,]+)"
)


def remark(spec: str, **fixed):
    model = open_model(spec, imported=True).model
    return lanes_remark(model, board("sim"), fixed, choose_sizes(model, board("sim"), **fixed))


def mean_cycles(spec: str, **fixed) -> float:
    model = open_model(spec, imported=True).model
    program = compile_model(model, choose_sizes(model, board("sim"), **fixed))
    cycles = [program.cycles(position) for position in range(model.config.ctx_len)]
    return sum(cycles) / len(cycles)


@pytest.mark.parametrize(
    ("spec", "fixed", "better"),
    [
        (TINY, {"lanes": 7, "rows": 1}, 4),  # a head takes two words of either
        (TINY, {"lanes": 64, "rows": 1}, 32),  # two rows of all heads in one word
        (LLAMA, {"lanes": 7}, 4),
        (LLAMA, {"lanes": 200}, 24),
        (FOUR_BITS, {"lanes": 7}, 8),  # more, of which none is idle
    ],
)
def test_the_better_number_and_what_both_take(spec, fixed, better):
    told = TELLS.fullmatch(remark(spec, **fixed))
    assert int(told[1]) == fixed["lanes"] and int(told[3]) == better
    for lanes, cycles in ((fixed["lanes"], told[2]), (better, told[4])):
        assert cycles == f"{mean_cycles(spec, **fixed | {'lanes': lanes}):,.0f}"
    assert remark(spec, **fixed | {"lanes": better}) is None


@pytest.mark.parametrize("lanes", [1, 4, 8, 16, 32])
def test_nothing_is_said_of_numbers_that_divide_what_there_is(lanes):
    assert remark(FOUR_BITS, lanes=lanes) is None


def test_it_is_not_slower_with_the_better_number():
    for lanes in (5, 7, 13, 23, 30):
        told = remark(LLAMA, lanes=lanes)
        if told is not None:
            _, given, better, taken = TELLS.fullmatch(told).groups()
            given, taken = (float(text.replace(",", "")) for text in (given, taken))
            assert taken <= given and taken * int(better) < given * lanes


def test_every_number_counts_with_the_best_sizes_of_a_board():
    """Not with the rows that suit the number that was asked for."""
    model, target = open_model(TINY).model, board("zybo")
    asked = choose_sizes(model, target, lanes=10)
    told = TELLS.fullmatch(lanes_remark(model, target, {"lanes": 10}, asked))
    best = choose_sizes(model, target, lanes=int(told[3]))
    assert best.rows != asked.rows
    for hw, cycles in ((asked, told[2]), (best, told[4])):
        (_, mean, _) = measured(model, [hw])[0]
        assert cycles == f"{mean:,.0f}"


def test_rows_that_were_asked_for_stay():
    model, target = open_model(TINY).model, board("zybo")
    fixed = {"lanes": 7, "rows": 1}
    told = TELLS.fullmatch(lanes_remark(model, target, fixed, choose_sizes(model, target, **fixed)))
    best = choose_sizes(model, target, rows=1, lanes=int(told[3]))
    assert told[4] == f"{measured(model, [best])[0][1]:,.0f}"
