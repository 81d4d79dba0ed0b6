"""The boards that an imported model fits, as ``gateformer import`` says at its end."""

from __future__ import annotations

import io

from rich.console import Console

from gateformer.model.contract.artifact import open_model
from gateformer.platforms.families.family import UNITS
from gateformer.platforms.sizes.decoder.boards import print_boards
from gateformer.platforms.sizes.named_board import boards_with_budget
from gateformer.platforms.sizes.search import choose, search_all

from .shapes import HUGE, LLAMA


def of(spec: str):
    return open_model(spec, imported=True).model


def test_every_board_is_searched_and_those_that_hold_too_little_are_named():
    model = of(LLAMA)
    found = search_all(model, boards_with_budget())
    assert {"zybo", "ulx3s-12f", "tang-nano-9k"} <= {target.label for target, _ in found}
    console = Console(file=io.StringIO(), width=160)
    print_boards(model, console)
    lines = console.file.getvalue().splitlines()
    for target, candidates in found:
        (line,) = [line for line in lines if target.label in line.split()]
        chosen = choose(candidates)
        assert (f"{chosen.cycles:,.0f}" if chosen else "too few") in line
        assert chosen is None or all(
            getattr(chosen.need, unit) <= getattr(target.budget, unit) for unit in UNITS
        )


def test_a_model_that_no_board_takes_gets_one_line():
    console = Console(file=io.StringIO(), width=400)
    print_boards(of(f"{HUGE},n_layers=9"), console)
    assert console.file.getvalue() == (
        "boards: none; weights, keys and values are too large for on-chip memory, and streaming "
        "them from DDR comes later\n"
    )
