"""The Zybo's build directories, made from a tiny model without any toolchain."""

import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from gateformer.gateware.compiler.program import Program
from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.model.contract.random_model import random_model
from gateformer.model.support.errors import ToolError, UserError
from gateformer.platforms.boards.board import board
from gateformer.platforms.boards.zynq_ps7 import unused_inputs
from gateformer.platforms.place_and_route import project as projects
from gateformer.platforms.place_and_route import run as place_and_route
from gateformer.platforms.synthesis import synthesis
from tests.platforms.place_and_route.test_placed import TIMING_RPT, XILINX_LOG
from tests.support.yosys_primitive import xilinx_ports

TINY = "random:n_layers=1,d_model=8,n_heads=2,d_ff=16,ctx_len=6,vocab_size=11"


@pytest.fixture(scope="module")
def program():
    return Program(random_model(TINY), HwConfig(2, 4, 4))


@pytest.fixture(scope="module")
def top(program):
    return board("zybo").build_top(program, 125.0)


@pytest.fixture
def no_tools(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.fixture(autouse=True)
def no_synthesis(monkeypatch, tmp_path_factory):
    """A netlist of nothing for the toolchains that place a netlist."""
    directory = tmp_path_factory.mktemp("netlist")
    (directory / "top.json").write_text("{}")
    monkeypatch.setattr(projects, "synthesize_top", lambda *_: synthesis.Synthesis(directory))


def files(project):
    return {path.name: path.read_text() for path in project.files}


def test_vivado_build_directory(top, tmp_path, no_tools):
    project = projects.write_project(top, board("zybo"), tmp_path / "build", "vivado")
    content = files(project)
    assert {"top.v", "top.il", "top.xdc", "top.tcl", "build_top.sh"} <= set(content)
    xdc = content["top.xdc"]
    for port, pin in {"clk125": "K17", "led_0": "M14", "led_1": "M15", "led_3": "D18"}.items():
        assert re.search(rf"set_property LOC {pin} \[get_ports \"{port}\w*\"\]", xdc)
    assert re.search(r"create_clock .* -period 8\.0 ", xdc)
    assert "-part xc7z010clg400-1" in content["top.tcl"]
    assert "module top(" in content["top.v"]
    instances = ("PS7", "BUFG", "DSP48E1", "OBUFT")
    assert all(re.search(rf"^\s+{name} ", content["top.v"], re.M) for name in instances)
    assert "MMCME2_BASE" not in content["top.v"]
    assert str(Path.cwd()) not in content["top.il"]


def test_openxc7_build_directory_of_the_larger_board(program, tmp_path, no_tools):
    target = board("zybo-z7-20")
    top = target.build_top(program, 150.0)
    assert top.clock_mhz == 150
    project = projects.write_project(top, target, tmp_path, "openxc7")
    content = files(project)
    script = content["build_top.sh"]
    assert "-nobram" not in script
    assert "xc7z020clg400.bin" in script and "--part xc7z020clg400-1" in script
    assert "--log top.tim --freq 150" in script
    assert "LOC K17" in content["top.xdc"]
    mmcm = re.search(r"MMCME2_BASE #\((.*?)\) ", content["top.v"], re.S)[1]
    assert ".CLKFBOUT_MULT_F(6.0)" in mmcm and ".CLKOUT0_DIVIDE_F(5.0)" in mmcm


def test_without_tools_one_line_says_what_to_do(top, tmp_path, no_tools):
    project = projects.write_project(top, board("zybo"), tmp_path / "build")
    assert project.toolchain == "vivado"
    assert projects.advice(project, project.tools.missing()) == (
        "no bitstream yet: install Vivado (AMD's free Standard edition suffices) so that vivado "
        f"is on the PATH, then run: cd {tmp_path / 'build'} && sh build_top.sh"
    )


VIVADO = """#!/bin/sh
echo a tool at work
echo bits > top.bit
"""


@pytest.fixture
def vivado(tmp_path, monkeypatch):
    tool = tmp_path / "vivado"
    tool.write_text(VIVADO)
    tool.chmod(0o755)
    monkeypatch.setenv("VIVADO", str(tool))
    return tool


def test_an_installed_toolchain_is_chosen_and_run(top, tmp_path, vivado):
    project = projects.write_project(top, board("zybo"), tmp_path / "build")
    assert place_and_route.make_bitstream(project, 125.0) is None
    assert project.bitstream.read_text() == "bits\n"
    assert "a tool at work" in (project.directory / projects.LOG_NAME).read_text()
    vivado.write_text("#!/bin/sh\necho no license\nexit 3\n")
    with pytest.raises(ToolError, match="no license"):
        place_and_route.make_bitstream(project, 125.0)
    assert not project.bitstream.exists()


def test_a_bitstream_that_misses_its_clock_is_put_aside(top, tmp_path, vivado):
    report = tmp_path / "report"
    report.write_text(TIMING_RPT)
    vivado.write_text(f"{VIVADO}cp {report} top_timing.rpt\n")
    project = projects.write_project(top, board("zybo"), tmp_path / "build")
    placed = place_and_route.make_bitstream(project, 160.0)
    assert placed.fmax_mhz == pytest.approx(158.303, abs=1e-3)
    assert not project.bitstream.exists()
    assert (project.directory / "top.bit.timing-not-met").exists()
    with pytest.raises(UserError) as error:
        place_and_route.refuse_if_too_slow(placed, 160.0)
    assert str(error.value) == (
        "timing not met: routed at 158.3 MHz, 160 MHz asked for; try --clock 155"
    )
    assert place_and_route.make_bitstream(project, 150.0) == placed
    assert project.bitstream.exists()
    place_and_route.refuse_if_too_slow(placed, 150.0)


def reports_of(project) -> tuple:
    text = io.StringIO()
    placed = place_and_route.read_reports(project, Console(file=text, width=500))
    return placed, text.getvalue()


def test_reports_that_were_dropped_in_are_read(top, tmp_path, no_tools):
    project = projects.write_project(top, board("zybo"), tmp_path, "vivado")
    assert reports_of(project) == (None, "")
    (tmp_path / "top_timing.rpt").write_text(TIMING_RPT)
    placed, text = reports_of(project)
    assert placed.tool == "Vivado v.2023.2" and text == ""
    # the same design written again leaves them current, another one does not
    again = projects.write_project(top, board("zybo"), tmp_path, "vivado")
    assert reports_of(again) == (placed, "")
    (tmp_path / "top.xdc").write_text("another design's")
    other = projects.write_project(top, board("zybo"), tmp_path, "vivado")
    name = tmp_path / "top_timing.rpt"
    assert reports_of(other) == (None, f"{name} is older than the design and is ignored\n")
    name.write_text("no report")
    assert reports_of(other) == (None, f"{name} is not a timing summary of Vivado; it is ignored\n")


def test_a_log_of_nextpnr_xilinx_is_read(top, tmp_path, no_tools):
    project = projects.write_project(top, board("zybo"), tmp_path, "openxc7")
    (tmp_path / "top.tim").write_text(XILINX_LOG)
    placed, _ = reports_of(project)
    assert (placed.tool, placed.fmax_mhz) == ("nextpnr-xilinx", 131.25)


def test_unknown_toolchain():
    with pytest.raises(UserError) as error:
        projects.choose_toolchain(board("zybo"), "quartus")
    assert str(error.value) == "unknown toolchain 'quartus' for zybo; known: vivado, openxc7"


def test_an_unreachable_clock_is_refused_before_elaboration(program):
    with pytest.raises(UserError, match="a clock of 900 MHz can't be made from 125 MHz"):
        board("zybo").build_top(program, 900.0)


def test_build_id_depends_on_model_sizes_clock_and_board(program, top):
    target = board("zybo")
    others = [
        board("zybo-z7-20").build_top(program, 125.0),
        target.build_top(program, 100.0),
        target.build_top(Program(program.model, HwConfig(2, 4, 2)), 125.0),
        target.build_top(Program(random_model(TINY + ",seed=1"), program.hw), 125.0),
    ]
    assert len({top.build_id, *(other.build_id for other in others)}) == 5
    assert top.build_id == target.build_top(program, 125.0).build_id


def test_every_input_of_the_processor_is_connected():
    """Against the primitive's declaration in yosys' library."""
    ports = xilinx_ports("PS7").items()
    declared = {name: width for name, (way, width) in ports if way == "input"}
    gp0 = {name: width for name, width in declared.items() if name.startswith("MAXIGP0")}
    assert unused_inputs() == {k: w for k, w in declared.items() if k not in gp0}
    assert len(gp0) == 12


@pytest.mark.slow
def test_a_tiny_top_is_synthesized(top, tmp_path):
    resources = synthesis.synthesize(top, board("zybo"), tmp_path)
    assert resources.exceeding(board("zybo").budget) == []
    assert resources.dsp > 0 and resources.ff > 500 and resources.lut > 500
    assert resources.detail["PS7"] == 1
    assert (tmp_path / synthesis.LOG_NAME).stat().st_size > 10_000
