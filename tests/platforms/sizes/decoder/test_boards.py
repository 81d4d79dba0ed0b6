"""The boards that an imported model fits, as ``gateformer import`` says at its end."""

from __future__ import annotations

import dataclasses
import io

import pytest
from rich.console import Console

from gateformer.model.contract.artifact import open_model
from gateformer.model.evaluation.decoder_evaluation import bytes_per_token
from gateformer.platforms.boards.board import board
from gateformer.platforms.families.family import UNITS
from gateformer.platforms.sizes.decoder.boards import memory_table, print_boards
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


def test_a_model_for_external_memory_gets_the_boards_that_have_one():
    console = Console(file=io.StringIO(), width=400)
    print_boards(of(f"{HUGE},n_layers=9"), console)
    printed = console.file.getvalue()
    having = [target for target in boards_with_budget() if target.memory is not None]
    assert {"zybo", "cora-z7", "kv260"} <= {target.label for target in having}
    for target in boards_with_budget():
        lines = [line for line in printed.splitlines() if f" {target.label} " in line]
        assert len(lines) == (target in having)
    (line,) = [line for line in printed.splitlines() if "cora-z7" in line]
    read = sum(m.codes.size for m in of(f"{HUGE},n_layers=9").matrices.values())  # 8 bits each
    most = float(line.split("│")[3].replace(",", ""))
    assert most == pytest.approx(0.75 * 2.1e9 / read, rel=0.1)


def test_a_memory_without_room_for_the_weights_allows_nothing():
    model, target = of(HUGE), board("cora-z7")
    weights = sum(m.codes.size for m in model.matrices.values())  # 8 bits each
    least = target.memory.size - target.memory.loadable + weights
    for size, said in ((least, True), (least - 1, False)):
        small = dataclasses.replace(target.memory, size=size)
        (most,) = memory_table(model, [dataclasses.replace(target, memory=small)]).columns[2].cells
        assert (most != "too little room") == said


def test_ports_that_carry_less_than_the_memory_bound_it():
    target = board("kv260")
    table = memory_table(of(HUGE), [target])
    (most,) = table.columns[2].cells
    shape, clock = target.memory.shape, target.default_clock_mhz
    assert shape.word_bytes * clock * 1e6 < target.memory.usable
    read = bytes_per_token(of(HUGE), position=0)
    assert most == f"{shape.word_bytes * clock * 1e6 / read:,.1f}"
