"""Build directories for openXC7: what is placed is what was counted; the tools are fake."""

import os
import re
import subprocess

import pytest

from gateformer.gateware.compiler.program import Program
from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.model.contract.random_model import random_model
from gateformer.platforms.boards.board import board
from gateformer.platforms.boards.xilinx_platform import OPENXC7_TOOLS
from gateformer.platforms.place_and_route import project as projects
from gateformer.platforms.synthesis import synthesis
from gateformer.platforms.synthesis.synthesis import Synthesis, build_plan
from tests.support.no_core import leave_out_the_core

TINY = "random:n_layers=1,d_model=8,n_heads=2,d_ff=16,ctx_len=6,vocab_size=11"


@pytest.fixture(scope="module")
def program():
    return Program(random_model(TINY), HwConfig(2, 4, 4))


@pytest.fixture
def no_verilog(monkeypatch):
    monkeypatch.setattr(
        "gateformer.platforms.support.verilog.verilog_text",
        lambda rtlil: "module top(); endmodule\n",
    )


def without_attributes(rtlil: str) -> list[str]:
    return [line for line in rtlil.splitlines() if not line.lstrip().startswith("attribute")]


@pytest.mark.parametrize("name", ["zybo", "arty-a7-35"])
def test_both_toolchains_have_the_same_design(name, program, no_verilog):
    target = board(name)
    top = target.build_top(program, 150.0)
    vivado, openxc7 = (
        build_plan(top, target, tools).files["top.il"] for tools in target.toolchains
    )
    assert without_attributes(vivado) == without_attributes(openxc7)
    differing = set(vivado.splitlines()) ^ set(openxc7.splitlines())
    assert all(line.lstrip().startswith("attribute \\amaranth.vivado.") for line in differing)


@pytest.fixture
def build_directory(program, no_verilog, tmp_path, monkeypatch):
    """Of the Arty A7-35T, with fake tools on a PATH of their own."""
    leave_out_the_core(monkeypatch)
    target = board("arty-a7-35")
    plan = build_plan(target.build_top(program, 100.0), target, "openxc7")
    assert set(plan.files) == {"build_top.sh", "top.il", "top.v", "top.xdc"}
    directory = tmp_path / "build"
    directory.mkdir()
    (directory / "build_top.sh").write_bytes(as_bytes(plan.files["build_top.sh"]))
    (directory / "top.bit").write_text("an earlier one")
    (tmp_path / "bin").mkdir()
    for name in ("yosys", *OPENXC7_TOOLS):
        tool = tmp_path / "bin" / name
        tool.write_text(f'#!/bin/sh\necho {name} "$@" | tee -a {tmp_path}/runs\n')
        tool.chmod(0o755)
    return directory


def as_bytes(content) -> bytes:
    return content.encode() if isinstance(content, str) else content


def run(directory, **environment):
    tools = f"{directory.parent / 'bin'}{os.pathsep}{os.environ['PATH']}"
    names = ("CHIPDB_DIR", "DB_DIR", *(tool.upper().replace("-", "_") for tool in OPENXC7_TOOLS))
    inherited = {name: value for name, value in os.environ.items() if name not in names}
    return subprocess.run(
        ["sh", "build_top.sh"],
        cwd=directory,
        env={**inherited, "PATH": tools, **{k: str(v) for k, v in environment.items()}},
        capture_output=True,
        text=True,
    )


def test_the_script_places_the_netlist_that_was_synthesized_here(build_directory, tmp_path):
    part = tmp_path / "db/artix7/xc7a35tcsg324-1"
    part.mkdir(parents=True)
    (part / "part.yaml").touch()
    (tmp_path / "xc7a35tcsg324.bin").touch()
    result = run(build_directory, CHIPDB_DIR=tmp_path, DB_DIR=tmp_path / "db")
    assert (result.returncode, result.stderr) == (0, "")
    runs = [line.split() for line in (tmp_path / "runs").read_text().splitlines()]
    assert [name for name, *_ in runs] == list(OPENXC7_TOOLS)
    place = " ".join(runs[0])
    assert f"--chipdb {tmp_path}/xc7a35tcsg324.bin --xdc top.xdc --json top.json" in place
    assert "--log top.tim --freq 100" in place
    # what fasm2frames prints is the file
    frames = (build_directory / "top.frames").read_text()
    assert frames.startswith("fasm2frames --part xc7a35tcsg324-1 ")
    assert not (build_directory / "top.bit").exists()


def test_a_missing_database_is_told_in_one_line(build_directory, tmp_path):
    result = run(build_directory, CHIPDB_DIR=tmp_path / "absent")
    assert result.returncode == 1
    assert result.stderr == f"there is no {tmp_path}/absent/xc7a35tcsg324.bin: set CHIPDB_DIR\n"
    (tmp_path / "xc7a35tcsg324.bin").touch()
    result = run(build_directory, CHIPDB_DIR=tmp_path, DB_DIR=tmp_path)
    assert result.returncode == 1
    missing = f"{tmp_path}/artix7/xc7a35tcsg324-1/part.yaml"
    assert result.stderr == f"there is no {missing}: set DB_DIR\n"
    assert not (tmp_path / "runs").exists()


def test_the_build_directory_has_the_netlist_that_was_counted(
    program, no_verilog, tmp_path, monkeypatch
):
    (tmp_path / "top.json").write_text('{"the": "netlist"}')
    synthesized = []

    def synthesize_rtlil(rtlil, family):
        synthesized.append((rtlil, family))
        return Synthesis(tmp_path)

    monkeypatch.setattr(synthesis, "synthesize_rtlil", synthesize_rtlil)
    target = board("arty-a7-35")
    top = target.build_top(program, 100.0)
    project = projects.write_project(top, target, tmp_path / "build", "openxc7")
    assert (project.directory / "top.json").read_text() == '{"the": "netlist"}'
    # the RTLIL that synthesis.synthesize counts
    assert synthesized == [(build_plan(top, target, "vivado").files["top.il"], target.family)]
    assert tuple(project.tools.tools) == OPENXC7_TOOLS


def test_the_advice_names_the_script_s_variables(tmp_path):
    project = projects.Project(tmp_path, board("arty-a7-35"), "openxc7", [])
    advised = projects.advice(project, ["nextpnr-xilinx"])
    assert re.search(r"\bCHIPDB_DIR\b.*\bDB_DIR\b", advised) and "\n" not in advised
