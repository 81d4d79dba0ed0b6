"""``--list``: clocks that nothing routed are called assumed, and how full a choice is is shown."""

from __future__ import annotations

import dataclasses
import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from gateformer.model.contract.artifact import open_model, shipped_models
from gateformer.platforms.boards.board import board, boards
from gateformer.platforms.building.listing import (
    _boards_table,
    _fit,
    _models_table,
    _with_variants,
)

SPEC = "random:vocab_size=20,d_model=16,n_heads=2,n_layers=1,d_ff=32,ctx_len=12,seed=3"


def test_clocks_that_nothing_here_routes_are_assumed():
    console = Console(file=io.StringIO(), width=200)
    console.print(_boards_table(list(_with_variants(boards()))))
    lines = [re.split(" *[│┃] *", line)[1:] for line in console.file.getvalue().splitlines()]
    clocks = {line[0]: line[2] for line in lines if len(line) > 2 and "MHz" in line[2]}
    assert clocks == {
        "sim": "125 MHz (assumed)",
        "zybo": "125 MHz (assumed)",
        "zybo-z7-20": "125 MHz (assumed)",
        "cora-z7": "125 MHz (assumed)",
        "kv260": "100 MHz (assumed)",
        "arty-a7-35": "100 MHz (assumed)",
        "arty-a7-100": "100 MHz (assumed)",
        "ulx3s --variant 12F": "90 MHz (assumed)",
        "ulx3s --variant 25F": "90 MHz",
        "ulx3s --variant 45F": "90 MHz (assumed)",
        "ulx3s (85F)": "90 MHz",
        "tang-primer-20k": "54 MHz (assumed)",
        "tang-nano-9k": "45 MHz (assumed)",
    }


@pytest.mark.parametrize("width", [200, 100, 80, 60, 40])
def test_names_and_clocks_are_whole_on_any_terminal(width):
    console = Console(file=io.StringIO(), width=width)
    targets = list(_with_variants(boards()))
    console.print(_boards_table(targets, console))
    console.print(_models_table({name: open_model(name) for name in shipped_models()}, console))
    lines = console.file.getvalue().splitlines()
    shown = {re.split(" *[│┃] *", line)[1] for line in lines if line[:1] in "│┃"}
    assert {name for name, _ in targets} <= shown and set(shipped_models()) <= shown
    assert all(len(line) <= width for line in lines)
    assert ("125 MHz (assumed)" in console.file.getvalue()) == (width > 40)
    assert ("a wider terminal shows" in console.file.getvalue()) == (width < 200)


def test_what_the_readme_calls_routed_is_not_assumed():
    readme = (Path(__file__).parents[3] / "README.md").read_text(encoding="utf-8")
    routed = re.findall(r"^\| ([^|]+) \|[^\n]*\(routed: [\d.]+\)", readme, re.M)
    targets = [target for _, target in _with_variants(boards())]
    assert sorted(routed) == sorted(t.title for t in targets if not t.clock_assumed)


@pytest.mark.parametrize(("name", "mhz"), [("ULX3S_25F_Platform", 90), ("ULX3S_85F_Platform", 90)])
def test_the_clock_of_an_own_board_is_assumed(tmp_path, name, mhz):
    (tmp_path / "mine.py").write_text(f"from amaranth_boards.ulx3s import {name}\n")
    target = board(str(tmp_path / "mine.py"))
    assert target.clock_text == f"{mhz} MHz (assumed)"


def test_the_caption_is_about_what_is_listed(tmp_path):
    (tmp_path / "mine.py").write_text("from amaranth_boards.ulx3s import ULX3S_25F_Platform\n")
    variants = "in parentheses: the variant if --variant is not given"
    assumed = "assumed: a clock that nothing here has placed and routed"

    def caption(*names):
        targets = {name: board(name) for name in names}
        return _boards_table(list(_with_variants(targets))).caption

    assert caption("ulx3s") == caption("ulx3s", "zybo") == f"{variants}; {assumed}"
    assert caption(str(tmp_path / "mine.py")) == caption("zybo") == assumed
    assert (
        _boards_table([("ulx3s", dataclasses.replace(board("ulx3s"), variants={}))]).caption is None
    )


def test_the_choice_says_how_full_the_device_is():
    artifact = open_model(SPEC)
    assert _fit(artifact, board("zybo")).endswith("% of the LUT sites")
    assert _fit(artifact, board("ulx3s")).endswith("% of the LUTs")
    assert "%" not in _fit(artifact, board("sim"))
