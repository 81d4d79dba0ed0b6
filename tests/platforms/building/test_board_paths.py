"""The timing structure of a board's netlist, by the board's name."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from gateformer.model.support.errors import UserError
from gateformer.platforms.boards.board import board, boards
from gateformer.platforms.building.board_paths import control_sets_of, main

SYNTHESIZED = ", ".join(name for name, known in boards().items() if known.budget is not None)
TINY = "random:n_layers=1,d_model=8,n_heads=2,d_ff=16,ctx_len=6,vocab_size=11"
IMPORTED = "random:norm=layer,activation=gelu"
BROAD = ["--rows", "16", "--cols", "64", "--lanes", "128", "--cores", "2", "--streams", "3"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sim"], f"sim is not synthesized; name one of {SYNTHESIZED}"),
        (
            ["zybo", "--streams", "5", "--cores", "2"],
            "2 cores with 5 streams each are 10 streams, and 8 are possible; choose fewer cores or "
            "streams",
        ),
        (
            ["zybo", "--rows", "7", "--cols", "64"],
            "cols must be a multiple of rows (7), not 64; choose 63 or 70",
        ),
        (
            ["zybo", "--streams", "2", "--model", IMPORTED],
            "--streams 2: the core of an imported model on chip is one, of one stream; leave it "
            "out",
        ),
        (
            ["zybo", "--toolchain", "ise"],
            "unknown toolchain 'ise' for zybo; known: vivado, openxc7",
        ),
    ],
)
def test_errors_are_one_line(arguments, message):
    with pytest.raises(UserError) as caught:
        main(arguments, Console(file=io.StringIO()))
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("name", "most"), [("zybo", 330), ("arty-a7-35", 390), ("zybo-z7-20", 997), ("ulx3s", 330)]
)
def test_a_larger_device_has_room_for_more_control_sets(name, most):
    assert control_sets_of(board(name)) == most


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [
        ["arty-a7-35", "--model", TINY],
        ["arty-a7-35", "--model", TINY, "--streams", "3"],
        *(
            pytest.param(arguments, marks=pytest.mark.full_size)
            for arguments in (
                ["arty-a7-35", "--model", TINY, "--toolchain", "openxc7"],
                ["zybo", "--streams", "2"],
                ["zybo-z7-20", "--model", TINY, "--cores", "2", "--streams", "3"],
                ["zybo-z7-20", *BROAD],
            )
        ),
    ],
    ids=" ".join,
)
def test_what_is_synthesized_for_a_board(arguments):
    console = Console(file=io.StringIO(), width=120)
    assert main(["--toolchain", "vivado", *arguments], console) == 0
    assert console.file.getvalue().endswith("0 violations\n")
