"""``--list``: clocks that nothing routed are called assumed, and how full a choice is is shown."""

from __future__ import annotations

import io

from rich.console import Console

from gateformer.model.contract.artifact import open_model
from gateformer.platforms.boards.board import board
from gateformer.platforms.building.listing import _boards_table, _fit

SPEC = "random:vocab_size=20,d_model=16,n_heads=2,n_layers=1,d_ff=32,ctx_len=12,seed=3"


def test_clocks_that_nothing_here_routes_are_assumed():
    console = Console(file=io.StringIO(), width=200)
    names = ("zybo", "arty-a7-100", "ulx3s", "tang-primer-20k")
    console.print(_boards_table([(name, board(name)) for name in names]))
    lines = {line.split()[1]: line for line in console.file.getvalue().splitlines() if "│" in line}
    assert "125 MHz (assumed)" in lines["zybo"] and "100 MHz (assumed)" in lines["arty-a7-100"]
    for name in ("ulx3s", "tang-primer-20k"):
        assert "MHz" in lines[name] and "assumed" not in lines[name]


def test_the_choice_says_how_full_the_device_is():
    artifact = open_model(SPEC)
    assert _fit(artifact, board("zybo")).endswith("% of the LUT sites")
    assert _fit(artifact, board("ulx3s")).endswith("% of the LUTs")
    assert "%" not in _fit(artifact, board("sim"))
