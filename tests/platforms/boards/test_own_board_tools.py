"""Commands and programmers of a user's own board."""

from __future__ import annotations

import io
import os
import subprocess

import pytest
from rich.console import Console

from gateformer.gateware.compiler.program import Program
from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.model.contract.random_model import random_model
from gateformer.model.support.errors import UserError
from gateformer.platforms.boards import programming
from gateformer.platforms.boards.board import board
from gateformer.platforms.boards.programming import check_programmers
from gateformer.platforms.place_and_route.project import Project
from tests.support.no_core import leave_out_the_core
from tests.support.own_boards import TINY, described, write_board


@pytest.fixture(autouse=True)
def beside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def orangecrab(tmp_path):
    return board(write_board(tmp_path, "OrangeCrabR0_2_25FPlatform"))


def test_commands_of_the_platform_s_own_come_after_ours(orangecrab):
    platform = orangecrab.build_platform("nextpnr")
    place, pack, finish = platform.command_templates
    assert 'invoke_tool("nextpnr-"' in place and "ecppack" in pack
    assert platform.finishing_tools == ["dfu-suffix"]
    assert finish.startswith('if command -v "$DFU_SUFFIX" > /dev/null; then {{invoke_tool(')
    assert "yosys" not in platform.required_tools


@pytest.mark.parametrize("there", [True, False])
def test_a_finishing_tool_is_used_if_it_is_there(tmp_path, orangecrab, there, monkeypatch):
    """The script, with programs that stand for nextpnr and the packer."""
    leave_out_the_core(monkeypatch)
    program = Program(random_model(TINY), HwConfig(2, 4, 4))
    top = orangecrab.build_top(program, 90.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gateformer.platforms.support.verilog.verilog_text", lambda rtlil: "")
        files = orangecrab.build_platform("nextpnr").prepare(top, "top").files
    (tmp_path / "build_top.sh").write_text(files["build_top.sh"])
    for name, text in {
        "place": "",
        "pack": "echo bits > top.bit",
        "suffix": "echo dfu >> top.bit",
    }.items():
        tool = tmp_path / name
        tool.write_text(f"#!/bin/sh\n{text}\n")
        tool.chmod(0o755)
    tools = {
        "NEXTPNR_ECP5": "place",
        "ECPPACK": "pack",
        "DFU_SUFFIX": "suffix" if there else "none",
    }
    environment = {**os.environ, **{name: str(tmp_path / tool) for name, tool in tools.items()}}
    result = subprocess.run(
        ["sh", "build_top.sh"], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "top.bit").read_text() == ("bits\ndfu\n" if there else "bits\n")
    assert ("dfu-suffix is not installed: left out" in result.stdout) != there


def test_the_platform_s_own_way_of_loading(tmp_path, orangecrab, monkeypatch):
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.delenv("DFU_UTIL", raising=False)
    with pytest.raises(UserError) as error:
        check_programmers(orangecrab.programmers, orangecrab.name)
    assert str(error.value) == (
        "--program needs dfu-util on the PATH; install one, or leave --program out"
    )
    tool = tmp_path / "dfu-util"
    tool.write_text('#!/bin/sh\necho "$1 $2"\ncat "$3"\n' + f'cat "$3" > {tmp_path}/loaded\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    check_programmers(orangecrab.programmers, orangecrab.name)
    bitstream = tmp_path / "top.bit"
    bitstream.write_text("bits")
    output = Console(file=io.StringIO(), width=300)
    programming.program(orangecrab.programmers, bitstream, output)
    assert (tmp_path / "loaded").read_text() == "bits"
    assert output.file.getvalue() == f"loaded by dfu-util: {bitstream}\n"
    tool.write_text("#!/bin/sh\nexit 74\n")
    with pytest.raises(UserError, match=r"^dfu-util failed with status 74; is the board connected"):
        programming.program(orangecrab.programmers, bitstream, output)


def test_what_a_platform_loads_and_was_not_made(tmp_path, monkeypatch):
    """The Versa's openocd reads an SVF file and a configuration."""
    (programmer,) = board(write_board(tmp_path, "VersaECP5Platform")).programmers
    assert programmer.command == "openocd"
    (tmp_path / "top.bit").write_text("bits")
    with pytest.raises(UserError, match=r"^--program: .*/top-openocd\.cfg: No such file"):
        programmer.load(tmp_path / "top.bit")


def test_a_loader_that_looks_for_its_tool_itself(monkeypatch):
    monkeypatch.setenv("PATH", "")
    target = described("from amaranth_boards.alchitry_ptv2 import AlchitryPtV2Platform")
    with pytest.raises(UserError, match=r"^--program: Could not find the alchitry command line"):
        check_programmers(target.programmers, target.name)


def test_an_svf_is_made_and_goes_with_the_bitstream(tmp_path, orangecrab):
    project = Project(tmp_path, orangecrab, "nextpnr", [])
    assert project.products == [tmp_path / "top.svf"]
    project.products[0].write_text("svf")
    project.remove_bitstream()
    assert not project.products[0].exists()


def test_a_class_that_passes_on_twice_what_it_is_given(monkeypatch):
    """Its own overrides hold, and ours, which it need not know of."""
    monkeypatch.setattr("gateformer.platforms.support.verilog.verilog_text", lambda rtlil: "")
    leave_out_the_core(monkeypatch)
    target = described("from amaranth_boards.supercon19badge import Supercon19BadgePlatform")
    top = target.build_top(Program(random_model(TINY), HwConfig(2, 4, 4)), 8.0)
    platform = target.build_platform("nextpnr")
    script = platform.prepare(top, "top", nextpnr_opts="--freq 8").files["build_top.sh"]
    assert "--compress --freq 38.8" in script and "--freq 8 " in script
