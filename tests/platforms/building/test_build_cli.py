"""The command line of a build: what it prints and writes, and its help."""

from __future__ import annotations

import json

import pytest

from gateformer.model.contract.random_model import random_model
from gateformer.platforms.boards.board import boards
from gateformer.platforms.building.command import EXAMPLES
from tests.platforms.boards.test_board import NAMES
from tests.support.every_command import ROOT, run, run_here

TINY = "random:n_layers=1,d_model=8,n_heads=2,d_ff=16,ctx_len=6,vocab_size=11,seed=3"
SIZES = ["--rows", "2", "--cols", "4", "--lanes", "4"]
DIRECTORY = f"build/sim-random-{random_model(TINY).digest[:8]}-rows2-cols4-lanes4"


def build(tmp_path, *arguments):
    return run_here("build.py", *arguments, cwd=tmp_path)


def test_list_names_boards_and_models(tmp_path):
    result = run("build.py", "--list", cwd=tmp_path)
    assert result.returncode == 0
    shown = ("shakespeare-115k", "xc7z010", "60 × 36 Kb", "28 MULT18X18D", "uart")
    for text in (*NAMES, *shown):
        assert text in result.stdout
    for target in boards().values():
        for device in {target.device, *(other.device for other in target.variants.values())}:
            assert device is None or f" {device} " in result.stdout
    assert "✗ vivado" in result.stdout or "✓ vivado" in result.stdout


def test_timeline_is_a_picture(tmp_path):
    result = build(tmp_path, "sim", "--model", TINY, *SIZES, "--timeline")
    assert result.returncode == 0, result.stderr
    svg = (tmp_path / DIRECTORY / "timeline.svg").read_text()
    assert svg.startswith("<svg") and "layers.0.q_proj" in svg


def test_lanes_that_would_be_idle_are_named(tmp_path):
    """Heads of 4 in two words of 3 lanes, which two fill."""
    sizes = ["--rows", "1", "--cols", "4", "--lanes"]
    result = build(tmp_path, "sim", "--model", TINY, *sizes, "3", "--timeline")
    assert result.returncode == 0
    assert "--lanes 3 leaves lanes idle: it takes " in result.stderr
    assert ", --lanes 2 " in result.stderr
    assert "idle" not in build(tmp_path, "sim", "--model", TINY, *sizes, "2", "--timeline").stderr


def test_sim_streams_text_and_reports(tmp_path):
    result = build(tmp_path, "sim", "--model", TINY, *SIZES, "--tokens", "4", "--prompt", " ")
    assert result.returncode == 0, result.stderr
    assert len(result.stdout.rstrip("\n")) == 5
    report = json.loads((tmp_path / DIRECTORY / "report.json").read_text())
    assert report["schema_version"] == 2
    assert len(report["cycles"]["by_position"]) == 6
    assert report["cycles"]["source"] == "simulated"


def test_context_end_is_told_and_refeeding_goes_on(tmp_path):
    arguments = ["sim", "--model", TINY, *SIZES, "--tokens", "20", "--prompt", " "]
    stopped = build(tmp_path, *arguments)
    assert stopped.returncode == 0
    assert "the context of 6 tokens is full after 6 of 20 tokens" in stopped.stderr
    continued = build(tmp_path, *arguments, "--continue")
    assert continued.returncode == 0
    assert len(continued.stdout.rstrip("\n")) == 21


def test_check_compares_every_tap(tmp_path):
    result = build(tmp_path, "sim", "--model", TINY, *SIZES, "--check")
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("gateware equals reference") == 2


def test_the_examples_differ():
    lines = [line for line in examples().splitlines() if "build.py" in line]
    assert len(lines) > 5
    commands = [line.split("   ")[0] for line in (line.strip() for line in lines)]
    assert len(set(commands)) == len(commands)


@pytest.mark.parametrize("command", ["build.py", "build"])
def test_the_help_shows_what_was_called(tmp_path, command):
    said = run(command, "--help", cwd=tmp_path).stdout
    program = {"build.py": "python build.py", "build": "gateformer build"}[command]
    assert said.startswith(f"usage: {program} [-h]")
    shown = said.split("examples:\n")[1].splitlines()
    assert len(shown) == len(EXAMPLES)
    assert all(line.startswith(f"  {program} ") for line in shown)


def examples() -> str:
    return run("build.py", "--help", cwd=ROOT).stdout.split("examples:")[1]


def test_an_export_for_sim(tmp_path):
    result = build(tmp_path, "sim", "--model", TINY, *SIZES, "--export", "ip")
    assert result.returncode == 0, result.stderr
    assert f"{DIRECTORY}/ip/gateformer.v" in result.stdout.splitlines()
    assert "DSP48E1" not in (tmp_path / DIRECTORY / "ip/gateformer.v").read_text()
