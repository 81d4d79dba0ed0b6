"""Where builds go: a directory for each model and choice, --out, and what another design left."""

from __future__ import annotations

import json
import shutil
import types
from pathlib import Path

import pytest

from gateformer.gateware.compiler.program import Program
from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.model.contract.artifact import open_model
from gateformer.model.support.errors import UserError
from gateformer.platforms.boards.board import board
from gateformer.platforms.building import directory as directories
from gateformer.platforms.building.directory import build_directory, design_directory
from gateformer.platforms.firmware.build import FIRMWARE_FILES
from gateformer.platforms.ip.fusesoc import CORE_NAME, MARK

from .test_build_cli import SIZES, TINY, build

ARTIFACTS = Path(__file__).parents[3] / "model/artifacts"
DEFAULT = "shakespeare-115k"
NAMES = ("out", "rows", "cols", "lanes", "packing", "streams", "cores", "ports", "clock")
NOTHING = dict.fromkeys(NAMES) | {"reload": False}


def where(target, model=DEFAULT, **given) -> str:
    arguments = types.SimpleNamespace(**{**NOTHING, **given})
    return str(build_directory(target, open_model(model), arguments, DEFAULT))


@pytest.mark.parametrize(
    ("model", "given", "directory"),
    [
        (DEFAULT, {}, "build/ulx3s-25f"),
        ("stories-zybo", {}, "build/ulx3s-25f-stories-zybo"),
        (DEFAULT, {"rows": 4, "lanes": 8}, "build/ulx3s-25f-rows4-lanes8"),
        (DEFAULT, {"packing": "3in5", "clock": 62.5}, "build/ulx3s-25f-3in5-62.5mhz"),
        (DEFAULT, {"streams": 3, "cores": 2}, "build/ulx3s-25f-streams3-cores2"),
        (DEFAULT, {"reload": True}, "build/ulx3s-25f-reload"),
        ("stories-zybo", {"out": "here"}, "here"),
    ],
)
def test_names(model, given, directory, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert where(board("ulx3s", "25F"), model, **given) == directory


def test_a_model_file_and_a_random_model_have_names_without_a_path(tmp_path):
    spec = where(board("zybo"), TINY)
    assert spec == f"build/zybo-random-{open_model(TINY).model.digest[:8]}"
    path = tmp_path / "my model.safetensors"
    shutil.copy(ARTIFACTS / f"{DEFAULT}.safetensors", path)
    assert where(board("zybo"), str(path)) == "build/zybo-my-model"


def test_out_must_be_a_build_directory(tmp_path):
    for name in ("new", "empty", "ours"):
        if name != "new":
            (tmp_path / name).mkdir()
    (tmp_path / "ours" / directories.DESIGN_NAME).write_text("{}")
    (tmp_path / "ours/top.v").write_text("")
    for name in ("new", "empty", "ours"):
        assert where(board("zybo"), out=tmp_path / name) == str(tmp_path / name)
    for path, message in {
        tmp_path / "ours/top.v": f"--out {tmp_path}/ours/top.v is a file; name a directory",
        tmp_path: f"--out {tmp_path}: it is not empty and no build directory; choose another",
    }.items():
        with pytest.raises(UserError) as error:
            where(board("zybo"), out=path)
        assert str(error.value) == message


def tiny(seed: int) -> str:
    return f"{TINY.rpartition(',')[0]},seed={seed}"


def design(directory: Path, seed: int = 0, rows: int = 2, clock: float = 125.0):
    artifact = open_model(tiny(seed))
    program = Program(artifact.model, HwConfig(rows, 4, 4))
    return design_directory(directory, board("zybo"), artifact, program, clock)


def fill(directory: Path) -> None:
    for name in (*FIRMWARE_FILES, "report.json", "timeline.svg", "top.bit", "notes.txt"):
        (directory / name).write_text("of one")
    (directory / "ip").mkdir()
    (directory / "ip" / CORE_NAME).write_text(MARK)
    (directory / "ip/gateformer.v").write_text("of one")


@pytest.mark.parametrize("other", [{"seed": 1}, {"rows": 1}, {"clock": 100.0}])
def test_what_another_design_left_goes_with_a_line(tmp_path, capsys, monkeypatch, other):
    directory = tmp_path / "build"
    said = []
    monkeypatch.setattr(directories.status, "print", lambda text, **_: said.append(text))
    with design(directory):
        fill(directory)
    with design(directory):
        assert (directory / "top.bit").exists() and not said
    with design(directory, **other):
        assert {path.name for path in directory.iterdir()} == {"notes.txt", ".design.json"}
        (directory / "report.json").write_text("of two")
    (line,) = said
    assert line.startswith(f"{directory}: removed what was of another design: top.bit, report.json")
    for name in ("gateformer.elf", "timeline.svg", "ip/gateformer.v"):
        assert name in line
    noted = json.loads((directory / ".design.json").read_text())
    assert (
        noted["model_digest"]
        == open_model(f"{TINY.rpartition(',')[0]},seed={other.get('seed', 0)}").model.digest
    )


def test_a_foreign_ip_directory_stays(tmp_path):
    directory = tmp_path / "build"
    with design(directory):
        (directory / "ip").mkdir()
        (directory / "ip/README.md").write_text("mine")
    with design(directory, seed=1):
        assert (directory / "ip/README.md").read_text() == "mine"


def test_a_run_that_writes_nothing_leaves_nothing(tmp_path):
    with pytest.raises(ZeroDivisionError), design(tmp_path / "a/b"):
        raise ZeroDivisionError
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("end", [KeyboardInterrupt, SystemExit])
def test_what_a_run_has_left_that_was_broken_off_is_said(tmp_path, monkeypatch, end):
    said = []
    monkeypatch.setattr(directories.status, "print", lambda text, **_: said.append(text))
    with design(tmp_path):
        (tmp_path / "top.v").touch()
    with pytest.raises(end), design(tmp_path):
        raise end
    assert not said
    with pytest.raises(end), design(tmp_path):
        (tmp_path / "weights.bin").touch()
        raise end
    assert said == [f"{tmp_path}: not finished, it has weights.bin; build again for the rest"]


@pytest.mark.parametrize("content", ["{", "[]", "\xff"])
def test_a_broken_note_is_another_design_s(tmp_path, content):
    with design(tmp_path):
        fill(tmp_path)
    (tmp_path / directories.DESIGN_NAME).write_text(content, encoding="latin-1")
    with design(tmp_path):
        assert {path.name for path in tmp_path.iterdir()} == {"notes.txt", ".design.json"}


def test_out_of_a_run(tmp_path):
    """Of two models in one directory the second one's files are there."""
    for seed in (1, 2):
        model = tiny(seed)
        result = build(tmp_path, "sim", "--model", model, *SIZES, "--timeline", "--out", "o/p")
        assert result.returncode == 0, result.stderr
        assert ("removed what was of another design: timeline.svg" in result.stderr) == (seed == 2)
        assert {path.name for path in (tmp_path / "o/p").iterdir()} == {
            *("timeline.svg", ".design.json"),
        }


def test_an_export_without_synthesis(tmp_path):
    """No yosys synthesis: its cache has none afterwards."""
    options = ("--export", "ip", "--no-synthesis", "--out", "o")
    result = build(tmp_path, "zybo", "--model", TINY, *SIZES, *options)
    assert result.returncode == 0, result.stderr
    text = (tmp_path / "o/ip/README.md").read_text()
    assert "not synthesized" in text and "DSP48E1" in (tmp_path / "o/ip/gateformer.v").read_text()
