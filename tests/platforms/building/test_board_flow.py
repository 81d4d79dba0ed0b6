"""What a board's build announces and loads, with made-up synthesis and tools."""

import dataclasses
import io
import json
import types

import pytest
from rich.console import Console

from gateformer.gateware.compiler.program import Program
from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.model.contract.artifact import open_model
from gateformer.model.support.errors import ToolError, UserError
from gateformer.platforms.boards import programming
from gateformer.platforms.boards.board import board
from gateformer.platforms.building import board_flow, report
from gateformer.platforms.families.family import Resources
from gateformer.platforms.place_and_route import project as projects
from gateformer.platforms.synthesis.synthesis import Synthesis
from tests.platforms.place_and_route.fake_nextpnr import install
from tests.platforms.place_and_route.test_placed import ECP5_REPORT

TINY = "random:n_layers=1,d_model=8,n_heads=2,d_ff=16,ctx_len=6,vocab_size=11"
TEXT = types.SimpleNamespace(print=lambda *_: "text")
"""What a build is given to print."""


def build_top(program, clock_mhz, **options):
    build_id = int(program.model.digest[:8], 16)
    return types.SimpleNamespace(build_id=build_id, clock_mhz=clock_mhz)


TARGET = dataclasses.replace(board("ulx3s", "12F"), build_top=build_top)


@pytest.fixture(autouse=True)
def made_up(monkeypatch, tmp_path):
    """The files of a design tell its build id."""

    def plan(top, board, toolchain):
        files = {"top.il": f"{top.build_id}", "build_top.sh": 'set -e\n"$NEXTPNR_ECP5"\n"$ECPPACK"'}
        return types.SimpleNamespace(files=files)

    def netlist(top, board):
        directory = tmp_path / f"netlist-{top.build_id}"
        directory.mkdir(exist_ok=True)
        (directory / "top.json").write_text(f"{top.build_id}")
        return Synthesis(directory)

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(projects, "build_plan", plan)
    monkeypatch.setattr(projects, "synthesize_top", netlist)
    resources = Resources(3389, 2347, 7, 10, {})
    monkeypatch.setattr(board_flow, "synthesize", lambda *_: resources)
    monkeypatch.setattr(board_flow, "core_simulator", lambda program: None)
    cycles = report.cycles_section([100] * 6, report.SIMULATED)
    monkeypatch.setattr(report, "counted_cycles", lambda *_: cycles)


@pytest.fixture
def tools(monkeypatch, tmp_path):
    return install(tmp_path / "tools", monkeypatch)


@pytest.fixture
def loaded(monkeypatch, tmp_path):
    """Contents of the bitstreams that a programmer was given."""
    contents = []

    def call(command):
        with open(command[-1], encoding="utf-8") as file:
            contents.append(file.read())
        return 0

    loader = tmp_path / "openFPGALoader"
    loader.write_text("")
    loader.chmod(0o755)
    monkeypatch.setenv("OPENFPGALOADER", str(loader))
    monkeypatch.setattr(programming.subprocess, "call", call)
    return contents


def build(
    tmp_path, seed: int = 0, program: bool = False, no_synthesis: bool = False
) -> tuple[str, dict]:
    """The last line of a build of the model with this seed, and its report."""
    artifact = open_model(f"{TINY},seed={seed}")
    arguments = types.SimpleNamespace(
        toolchain=None, baud=None, program=program, no_synthesis=no_synthesis
    )
    core = Program(artifact.model, HwConfig(2, 4, 4))
    output = Console(file=io.StringIO(), width=300)
    directory = tmp_path / "build"
    try:
        board_flow.build_board(artifact, core, TARGET, 85.0, directory, arguments, output, TEXT)
    finally:
        report = json.loads((directory / "report.json").read_text())
    return output.file.getvalue().splitlines()[-1 - program], report


def reports_in(directory) -> set[str]:
    return {str(directory / "build" / name) for name in ("top.tim", "top.report.json")}


def without_tools(monkeypatch):
    for name in ("NEXTPNR_ECP5", "ECPPACK"):
        monkeypatch.setenv(name, "/nowhere")


def test_a_bitstream_is_announced_loaded_and_kept(tmp_path, tools, loaded, monkeypatch):
    bitstream = tmp_path / "build/top.bit"
    last, report = build(tmp_path, program=True)
    assert last == f"bitstream: {bitstream}"
    assert loaded == ["bits\n"]
    assert {str(bitstream), *reports_in(tmp_path)} <= set(report["files"])
    assert report["tools"]["nextpnr-ecp5"] == "9.9" and "ecppack" in report["tools"]
    assert report["timing"]["source"] == "placed and routed: nextpnr-ecp5 9.9"
    # the same design needs no tools any more
    without_tools(monkeypatch)
    assert build(tmp_path)[0] == last


def test_another_design_s_bitstream_is_neither_announced_nor_loaded(
    tmp_path, tools, loaded, monkeypatch
):
    build(tmp_path)
    without_tools(monkeypatch)
    last, report = build(tmp_path, seed=1)
    assert last.startswith("no bitstream yet: nextpnr-ecp5, ecppack not found; pip install ")
    assert not [path for path in report["files"] if path.endswith(".bit")]
    assert not reports_in(tmp_path) & set(report["files"])
    assert report["timing"]["fmax_mhz"] is None
    with pytest.raises(UserError, match=r"--program: there is no .*top\.bit; see the line above"):
        build(tmp_path, seed=1, program=True)
    assert loaded == []


def test_a_tool_that_fails_leaves_no_bitstream_of_before(tmp_path, tools):
    build(tmp_path)
    (tools / "ecppack").write_text("#!/bin/sh\nexit 9\n")
    for _ in range(2):
        with pytest.raises(ToolError, match="failed with status 9"):
            build(tmp_path, seed=1)
        assert not (tmp_path / "build/top.bit").exists()


def test_a_missed_clock_says_so_every_time(tmp_path, tools):
    report = {**ECP5_REPORT, "fmax": {"clk": {"achieved": 81.3, "constraint": 85}}}
    (tools / "top.report.json").write_text(json.dumps(report))
    (tools / "top.tim").write_text("Max frequency for clock 'clk': 81.30 MHz (FAIL at 85.00 MHz)")
    for _ in range(2):
        with pytest.raises(UserError, match=r"timing not met: routed at 81\.3 MHz, 85 MHz asked"):
            build(tmp_path)


def test_without_synthesis_there_is_text_and_verilog_but_no_netlist(tmp_path, tools, monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("synthesized, or placed")

    for module, name in ((board_flow, "synthesize"), (projects, "synthesize_top")):
        monkeypatch.setattr(module, name, refuse)
    monkeypatch.setattr(board_flow, "make_bitstream", refuse)
    last, report = build(tmp_path, no_synthesis=True)
    assert last == "not synthesized: build without --no-synthesis for resources and a bitstream"
    assert report["resources"] == {"synthesized": None, "placed": None}
    assert {path.name for path in (tmp_path / "build").iterdir()} == {
        *("build_top.sh", "top.il", "report.json"),
        projects.MANIFEST_NAME,
    }
    assert {
        str(tmp_path / "build" / name) for name in ("build_top.sh", "top.il", "report.json")
    } == (set(report["files"]))


def test_without_synthesis_a_bitstream_of_the_same_design_stays(tmp_path, tools):
    build(tmp_path)
    build(tmp_path, no_synthesis=True)
    assert (tmp_path / "build/top.bit").exists() and (tmp_path / "build/top.json").exists()
    build(tmp_path, seed=1, no_synthesis=True)
    assert not (tmp_path / "build/top.bit").exists()
    assert not (tmp_path / "build/top.json").exists()
