"""``gateformer fit``: what it prints, draws, writes and refuses."""

from __future__ import annotations

import json
import re
import sys

import pytest

from gateformer.model.contract.artifact import open_model
from gateformer.model.contract.config import ModelConfig
from gateformer.model.support.errors import UserError
from gateformer.model.support.optional import install_command
from gateformer.platforms.boards.board import board
from gateformer.platforms.sizes import fit
from gateformer.platforms.sizes.calibrate import KINDS
from tests.support.user_error import no_integer

from .decoder.shapes import HUGE

SPEC = "random:vocab_size=20,d_model=16,n_heads=2,n_layers=1,d_ff=32,ctx_len=12,seed=3"
ZYBO = board("zybo")
CONFIG = ModelConfig(vocab_size=20, d_model=24, n_heads=2, n_layers=1, d_ff=40, ctx_len=8)


def _main(monkeypatch, capsys, *arguments, status: int = 0) -> str:
    monkeypatch.setattr(sys, "argv", ["fit", *arguments])
    assert fit.main() == status
    return capsys.readouterr().out


def test_the_command_prints_draws_and_writes(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    text = _main(monkeypatch, capsys, SPEC, "--board", "ulx3s", "--variant", "25F", "--json", "f")
    assert "Pareto front" in text and "choice: " in text and "fewest cycles of the" in text
    (drawn,) = (tmp_path / "build").iterdir()
    assert drawn.name.startswith("fit-ulx3s-25f-random-") and drawn.suffix == ".svg"
    assert json.loads((tmp_path / "f").read_text())["board"] == "ulx3s-25f"


@pytest.mark.slow
def test_a_board_that_no_sizes_fit(monkeypatch, capsys):
    arguments = ("shakespeare-115k", "--board", "tang-nano-9k", "--no-picture")
    text = _main(monkeypatch, capsys, *arguments, status=1)
    assert re.fullmatch(
        r"none of \d+ sizes fits: it needs about \d+ BRAM, \d+ more than the 26 there are; train a "
        r"smaller model or choose a larger board\n",
        text,
    )


def test_without_a_board_there_is_one_line_for_each(monkeypatch, capsys, tmp_path):
    text = _main(monkeypatch, capsys, SPEC, "--json", str(tmp_path / "all.json"))
    labels = [entry["board"] for entry in json.loads((tmp_path / "all.json").read_text())]
    assert {"zybo", "cora-z7", "ulx3s", "ulx3s-12f", "tang-nano-9k"} <= set(labels)
    assert all(label in text for label in labels)


@pytest.mark.parametrize(
    ("model", "advice"),
    [
        ("shakespeare-115k", "train a smaller model or choose a larger board"),
        (
            HUGE,
            "import it with fewer --bits, a smaller --context or both, or choose a larger board",
        ),
    ],
)
def test_a_model_that_fits_no_board(monkeypatch, capsys, tmp_path, model, advice):
    """A line below the table, and a status that a shell can ask for; the JSON is written."""
    monkeypatch.setattr(fit, "boards_with_budget", lambda: [board("tang-nano-9k")])
    text = _main(monkeypatch, capsys, model, "--json", str(tmp_path / "all.json"), status=1)
    name = open_model(model, imported=True).name
    assert text.splitlines()[-1] == f"none of the 1 boards fits {name}: {advice}"
    assert len(json.loads((tmp_path / "all.json").read_text())) == 1


def test_an_imported_model_that_does_not_fit_the_board(monkeypatch, capsys, tmp_path):
    arguments = (HUGE, "--board", "arty-a7-35", "--no-picture", "--json", str(tmp_path / "f.json"))
    text = _main(monkeypatch, capsys, *arguments, status=1)
    assert text.startswith("the model does not fit arty-a7-35: ") and text.count("\n") == 1
    assert json.loads((tmp_path / "f.json").read_text())["candidates"] == []


def test_the_kinds_of_cores_are_those_that_are_calibrated():
    """The command names them without what calibrates."""
    assert tuple(KINDS) == fit.KINDS


def test_several_cores(monkeypatch, capsys, tmp_path):
    sizes = ("--board", "zybo-z7-20", "--cores", "2", "--streams", "2", "--no-picture")
    text = _main(monkeypatch, capsys, SPEC, *sizes, "--json", str(tmp_path / "f.json"))
    found = json.loads((tmp_path / "f.json").read_text())["candidates"]
    assert "2 cores of" in text
    assert all((c["cores"], c["streams"]) == (2, 2) for c in found)


def test_the_help_says_what_the_exit_status_is(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["fit", "--help"])
    with pytest.raises(SystemExit):
        fit.main()
    assert "exit status: 0; 1 if no sizes fit the board" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--board", "sim"], "sim is not synthesized; name one of zybo, "),
        (["--board", "zyb"], "unknown board 'zyb'; known: "),
        (["--variant", "25F"], "--variant is for one board; name it with --board"),
        (["--streams", "2"], "--streams is for one board; name it with --board"),
        (["--cores", "2"], "--cores is for one board; name it with --board"),
        (
            ["--board", "zybo", "--streams", "auto", "--cores", "2"],
            "--streams auto chooses the cores, too; leave --cores out",
        ),
        (["--board", "zybo", "--cores", "nine"], no_integer("--cores", "from 1 to 8", "nine")),
        (["--kind", "trained"], "--kind goes with --calibrate; a model has its kind of core"),
        (["--calibrate", "--kind", "all"], "unknown kind 'all'; known: trained, imported, "),
        (["--board", "zybo", "--streams", "2", "--verify"], "--verify does not heed --streams;"),
        (["--family", "xc7"], "--family goes with --calibrate; a board has its family"),
        (
            ["--calibrate", "--family", "ice40"],
            "unknown family 'ice40'; known: xc7, xcup, ecp5, gowin",
        ),
        (["--calibrate", "--jobs", "0"], no_integer("--jobs", "from 1 to 1024", 0)),
        (
            ["--board", "zybo", "--verify", "--no-picture"],
            "--verify draws no picture; leave --no-picture out",
        ),
        (
            ["--board", "zybo", "--no-picture", "--json", "no/f.json"],
            "directory no of --json does not exist; create it first",
        ),
    ],
)
def test_errors_are_one_line(monkeypatch, arguments, message):
    model = [] if "--calibrate" in arguments else [SPEC]
    monkeypatch.setattr(sys, "argv", ["fit", *model, *arguments])
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
        f"no picture: the picture needs matplotlib: {install_command('fit')}, or add "
        "--no-picture" in shown.err.replace("\n", " ")
    )


def test_a_place_for_the_picture_is_looked_for_before_the_search(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "build").write_text("")
    monkeypatch.setattr(sys, "argv", ["fit", SPEC, "--board", "zybo"])
    monkeypatch.setattr("gateformer.platforms.sizes.search.search", None)
    with pytest.raises(UserError) as caught:
        fit.main()
    assert str(caught.value) == (
        f"the picture goes to {tmp_path / 'build'}: build is a file, where a directory is needed; "
        "work in another directory, or add --no-picture"
    )
