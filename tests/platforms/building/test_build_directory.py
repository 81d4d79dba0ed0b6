"""What is in a build directory belongs to its design: files, bitstream, reports."""

import io
import json
import os
import types

import pytest
from rich.console import Console

from gateformer.model.support.errors import ToolError, UserError
from gateformer.platforms.boards import programming
from gateformer.platforms.boards.board import board
from gateformer.platforms.building import board_flow
from gateformer.platforms.place_and_route import project as projects
from gateformer.platforms.place_and_route import run as place_and_route
from gateformer.platforms.place_and_route import toolchain
from gateformer.platforms.place_and_route.placed import Placed
from gateformer.platforms.place_and_route.reports import read_reports
from gateformer.platforms.synthesis.synthesis import Synthesis
from tests.platforms.place_and_route.test_placed import (
    ECP5_LOG,
    ECP5_REPORT,
    TIMING_RPT,
    UTILIZATION_RPT,
    XILINX_LOG,
)

ARTY = board("arty-a7-35")
PLANS = {
    "vivado": ("build_top.sh", "top.il", "top.v", "top.xdc", "top.tcl"),
    "openxc7": ("build_top.sh", "top.il", "top.v", "top.xdc"),
    "nextpnr": ("build_top.sh", "top.il", "top.v", "top.lpf"),
}


@pytest.fixture(autouse=True)
def made_up_designs(monkeypatch, tmp_path):
    """A design is a text, which is in its files; no tool is installed."""

    def plan(top, board, toolchain):
        return types.SimpleNamespace(
            files={name: f"{top} for {toolchain}" for name in PLANS[toolchain]}
        )

    def netlist(top, board):
        directory = tmp_path / f"netlist-{top}"
        directory.mkdir(exist_ok=True)
        (directory / "top.json").write_text(top)
        return Synthesis(directory)

    monkeypatch.setattr(projects, "build_plan", plan)
    monkeypatch.setattr(projects, "synthesize_top", netlist)
    monkeypatch.setattr(toolchain.shutil, "which", lambda *_, **__: None)


def write(tmp_path, design="one", target=ARTY, chain=None):
    return projects.write_project(design, target, tmp_path / "build", chain)


def names(project) -> set[str]:
    return {path.name for path in project.directory.iterdir()} - {projects.MANIFEST_NAME}


def make_older(*paths):
    for path in paths:
        os.utime(path, (1, 1))


def told(function, *arguments) -> tuple:
    text = io.StringIO()
    result = function(*arguments, Console(file=text, width=500))
    return result, text.getvalue()


def test_another_toolchain_s_files_go(tmp_path):
    first = write(tmp_path, chain="vivado")
    (first.directory / "notes.txt").write_text("mine")
    assert names(first) == {*PLANS["vivado"], "notes.txt"}
    second = write(tmp_path, chain="openxc7")
    assert names(second) == {*PLANS["openxc7"], "top.json", "notes.txt"}
    third = write(tmp_path, chain="vivado")
    assert names(third) == {*PLANS["vivado"], "notes.txt"}


def test_a_file_that_was_changed_by_hand_stays(tmp_path):
    script = write(tmp_path, chain="vivado").directory / "top.tcl"
    script.write_text("better")
    write(tmp_path, chain="openxc7")
    assert script.read_text() == "better"


@pytest.mark.parametrize("content", ["{", "[]"])
def test_a_broken_manifest_is_none(tmp_path, content):
    project = write(tmp_path, chain="vivado")
    (project.directory / projects.MANIFEST_NAME).write_text(content)
    assert "top.tcl" in names(write(tmp_path, chain="openxc7"))


def test_without_tools_a_directory_stays_with_its_toolchain(tmp_path):
    """It may have been finished elsewhere."""
    directory = tmp_path / "build"
    assert projects.choose_toolchain(ARTY, None, directory) == "vivado"
    write(tmp_path, chain="openxc7")
    assert projects.choose_toolchain(ARTY, None, directory) == "openxc7"
    assert projects.choose_toolchain(ARTY, "vivado", directory) == "vivado"
    # that of another family's board does not count
    assert projects.choose_toolchain(board("ulx3s"), None, directory) == "nextpnr"


@pytest.mark.parametrize("name", ["top.bit", "top.bit.timing-not-met", projects.LOG_NAME])
@pytest.mark.parametrize(("design", "chain"), [("two", "vivado"), ("one", "openxc7")])
def test_results_go_with_the_design(tmp_path, name, design, chain):
    project = write(tmp_path, chain="vivado")
    result = project.directory / name
    result.write_text("of one")
    write(tmp_path, chain="vivado")
    assert result.exists()
    write(tmp_path, design, chain=chain)
    assert not result.exists()


def test_the_bitstream_goes_before_the_first_file_changes(tmp_path, monkeypatch):
    project = write(tmp_path)
    project.bitstream.write_text("of one")

    def fail(path, content):
        assert not project.bitstream.exists()
        raise OSError

    monkeypatch.setattr(projects, "write_whole", fail)
    with pytest.raises(OSError):
        write(tmp_path, "two")


def test_a_bitstream_that_is_older_than_the_design_does_not_count(tmp_path, monkeypatch):
    project = write(tmp_path)
    missing = project.tools.missing()
    monkeypatch.setattr(programming.subprocess, "call", lambda *_: pytest.fail("was loaded"))

    def announced():
        return told(board_flow.announce_bitstream, project, missing)[1]

    assert announced() == projects.advice(project, missing) + "\n"
    project.bitstream.write_text("bits")
    assert announced() == f"bitstream: {project.bitstream}\n"
    make_older(project.bitstream)
    assert announced() == projects.advice(project, missing) + "\n"
    with pytest.raises(UserError) as error:
        board_flow.load_bitstream(project, Console())
    assert str(error.value) == (
        f"--program: {project.bitstream} is older than the design; see the line above"
    )
    project.bitstream.unlink()
    with pytest.raises(UserError, match=r"^--program: there is no .*top\.bit; see the line above$"):
        board_flow.load_bitstream(project, Console())


def test_advice_never_names_an_empty_list_of_tools(tmp_path):
    project = write(tmp_path)
    assert projects.advice(project, []) == (
        f"no bitstream yet; run: cd {project.directory} && sh build_top.sh"
    )


@pytest.mark.parametrize("chain", ["vivado", "openxc7"])
def test_reports_of_any_toolchain_are_read(tmp_path, chain):
    project = write(tmp_path, chain=chain)
    assert told(read_reports, project) == (None, "")
    log = project.directory / "top.tim"
    log.write_text(XILINX_LOG)
    placed, text = told(read_reports, project)
    assert (placed.tool, placed.fmax_mhz, text) == ("nextpnr-xilinx", 131.25, "")
    timing = project.directory / "top_timing.rpt"
    timing.write_text(TIMING_RPT)
    newest = project.changed_ns + 10**9
    os.utime(timing, ns=(newest, newest))
    assert told(read_reports, project)[0].tool == "Vivado v.2023.2"
    os.utime(log, ns=(newest + 1, newest + 1))
    assert told(read_reports, project)[0].tool == "nextpnr-xilinx"
    # the newest one that is a report
    log.write_text("nothing")
    os.utime(log, ns=(newest + 1, newest + 1))
    placed, text = told(read_reports, project)
    assert placed.tool == "Vivado v.2023.2"
    assert text == f"{log} tells no frequency of a clock; it is ignored\n"


def test_an_old_report_beside_a_new_log(tmp_path):
    project = write(tmp_path, target=board("ulx3s"))
    report, log = (project.directory / name for name in ("top.report.json", "top.tim"))
    slow = {**ECP5_REPORT, "fmax": {"another": {"achieved": 50.0, "constraint": 85}}}
    report.write_text(json.dumps(slow))
    make_older(report)
    log.write_text(ECP5_LOG)
    placed, text = told(read_reports, project)
    assert placed.fmax_mhz == 99.73 and placed.critical_path is None
    assert text == f"{report} is older than the design and is ignored\n"
    make_older(log)
    assert told(read_reports, project) == (
        None,
        f"{log} is older than the design and is ignored\n",
    )


def test_an_old_utilization_beside_a_new_timing(tmp_path):
    project = write(tmp_path, chain="vivado")
    utilization = project.directory / "top_utilization_place.rpt"
    utilization.write_text(UTILIZATION_RPT)
    (project.directory / "top_timing.rpt").write_text(TIMING_RPT)
    assert told(read_reports, project)[0].used["lut"] == 9876
    make_older(utilization)
    placed, text = told(read_reports, project)
    assert placed.used is None
    assert text == f"{utilization} is older than the design and is ignored\n"


def test_a_report_of_an_earlier_run_does_not_explain_a_failure(tmp_path, monkeypatch):
    project = write(tmp_path, chain="vivado")
    reports = {"top_timing.rpt": TIMING_RPT, "top_utilization_place.rpt": UTILIZATION_RPT}
    for name, text in reports.items():
        (project.directory / name).write_text(text)
    (project.directory / "top.bit").write_text("of the earlier run")
    project.failed_bitstream.write_text("of an even earlier one")

    def no_license(project):
        assert names(project) == set(PLANS["vivado"])
        project.bitstream.write_text("half of")
        raise ToolError("no license")

    monkeypatch.setattr(place_and_route, "run_script", no_license)
    with pytest.raises(ToolError, match="no license"):
        place_and_route.make_bitstream(project, 200.0)
    assert names(project) == set(PLANS["vivado"])


def test_only_the_run_s_own_reports_count_after_it(tmp_path, monkeypatch):
    project = write(tmp_path, chain="vivado")
    (project.directory / "top.tim").write_text(XILINX_LOG)

    def run(project):
        project.bitstream.write_text("bits")

    monkeypatch.setattr(place_and_route, "run_script", run)
    assert place_and_route.make_bitstream(project, 200.0) is None
    assert project.has_bitstream()


@pytest.mark.parametrize(
    ("tool", "log"), [("Vivado v.2023.2", "top_timing.rpt"), ("nextpnr-ecp5 0.11.1", "top.tim")]
)
def test_a_hold_violation_is_refused(tool, log):
    placed = Placed(tool, 150.0, violation="hold slack -0.02 ns of clk")
    assert not placed.meets(100.0)
    with pytest.raises(UserError) as error:
        place_and_route.refuse_if_too_slow(placed, 100.0)
    assert str(error.value) == f"timing not met: hold slack -0.02 ns of clk; see {log}"
