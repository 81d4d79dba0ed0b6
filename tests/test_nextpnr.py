"""Build directories for nextpnr, and what is done with its results; the tools are fake."""

import json
import shutil
import subprocess

import pytest

from gateware.hw_config import HwConfig
from gateware.program import Program
from model.errors import ToolError, UserError
from model.random_model import random_model
from platforms import nextpnr, place_and_route, toolchain
from platforms.board import board
from platforms.synthesis import Synthesis

from .fake_nextpnr import NEXTPNR, PACKER, install
from .test_placed import ECP5_LOG, ECP5_REPORT

TINY = "random:n_layers=1,d_model=8,n_heads=2,d_ff=16,ctx_len=6,vocab_size=11"


@pytest.fixture(scope="module")
def program():
    return Program(random_model(TINY), HwConfig(2, 4, 4))


@pytest.fixture(scope="module")
def top(program):
    return board("ulx3s", "12F").build_top(program, 85.0)


@pytest.fixture
def no_synthesis(monkeypatch, tmp_path):
    """A netlist of nothing takes the place of yosys' work."""
    directory = tmp_path / "netlist"
    directory.mkdir()
    (directory / "top.json").write_text("{}")
    monkeypatch.setattr(toolchain, "synthesize_top", lambda *_: Synthesis(directory))
    monkeypatch.setattr("platforms.verilog.verilog_text", lambda rtlil: "module top(); endmodule\n")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def project(top, no_synthesis, tmp_path):
    return toolchain.write_project(top, board("ulx3s", "12F"), tmp_path / "build")


@pytest.fixture
def tools(monkeypatch, tmp_path):
    """Fake nextpnr-ecp5 and ecppack, in the environment's variables."""
    return install(tmp_path / "tools", monkeypatch)


def content(project) -> dict[str, str]:
    return {path.name: path.read_text() for path in project.files}


def commands(project) -> list[str]:
    return [line for line in content(project)["build_top.sh"].splitlines() if '"$' in line[:2]]


@pytest.mark.parametrize("variant", ["12F", "25F", "45F", "85F"])
def test_ulx3s_build_directory(program, no_synthesis, tmp_path, variant):
    target = board("ulx3s", variant)
    project = toolchain.write_project(target.build_top(program, 85.0), target, tmp_path / "build")
    assert set(content(project)) == {"build_top.sh", "top.il", "top.v", "top.lpf", "top.json"}
    place, pack = commands(project)
    for option in (
        f"--{variant[:2]}k --package CABGA381 --speed 6",
        "--freq 85",
        "--json top.json --lpf top.lpf --textcfg top.config",
        "--report top.report.json",
        "--log top.tim",
    ):
        assert option in place
    assert "--timing-allow-fail" not in place
    assert "--bit top.bit" in pack
    lpf = content(project)["top.lpf"]
    for port, pin in {"uart_0__rx__io": "M1", "uart_0__tx__io": "L4", "clk25_0__io": "G2"}.items():
        assert f'LOCATE COMP "{port}" SITE "{pin}";' in lpf
    assert 'FREQUENCY PORT "clk25_0__io" 25000000.0 HZ;' in lpf


@pytest.mark.parametrize(
    ("name", "part", "family", "rx"),
    [
        ("tang-primer-20k", "GW2A-LV18PG256C8/I7", "GW2A-18C", "T13"),
        ("tang-nano-9k", "GW1NR-LV9QN88PC6/I5", "GW1N-9C", "18"),
    ],
)
def test_tang_build_directories(program, no_synthesis, tmp_path, name, part, family, rx):
    target = board(name)
    project = toolchain.write_project(target.build_top(program, 27.0), target, tmp_path / "build")
    assert set(content(project)) == {"build_top.sh", "top.il", "top.v", "top.cst", "top.json"}
    place, pack = commands(project)
    assert place.startswith('"$NEXTPNR_HIMBAECHEL_GOWIN" --seed ')
    assert '${GOWIN_CHIPDB:+--chipdb "$GOWIN_CHIPDB"} --timing-allow-fail' in place
    assert "--report top.report.json --freq 27 " in place
    assert f"--device {part} --vopt family={family} --vopt cst=top.cst" in place
    assert f"-d {family} -o top.fs" in pack and pack.endswith("top.pnr.json")
    assert f'IO_LOC "uart_0__rx__io" {rx};' in content(project)["top.cst"]
    assert project.bitstream.name == "top.fs"


@pytest.mark.parametrize(
    ("log", "done"),
    [
        ("Info: Max frequency for clock 'clk': 60.00 MHz (PASS at 27.00 MHz)", True),
        # after placement only
        ("Info: Max frequency for clock 'clk': 20.00 MHz (FAIL at 27.00 MHz)", True),
        ("Warning: Max frequency for clock 'clk': 20.00 MHz (FAIL at 27.00 MHz)", False),
        ("Info:       hold -0.12  0.63 Source core.weights.0.10.ADB6", True),
        ("Info:       hold -0.12 -0.03 Source core.weights.0.10.ADB6", False),
        ("Info:       hold -0.12  0.00 Source core.weights.0.10.ADB6", False),
    ],
)
def test_a_gowin_script_stops_at_timing_that_is_missed(
    program, no_synthesis, tmp_path, monkeypatch, log, done
):
    target = board("tang-primer-20k")
    project = toolchain.write_project(target.build_top(program, 27.0), target, tmp_path / "build")
    for variable, text in {
        "NEXTPNR_HIMBAECHEL_GOWIN": f'echo "{log}" > top.tim',
        "GOWIN_PACK": "echo bits > top.fs",
    }.items():
        tool = tmp_path / variable
        tool.write_text(f"#!/bin/sh\n{text}\n")
        tool.chmod(0o755)
        monkeypatch.setenv(variable, str(tool))
    result = subprocess.run(["sh", "build_top.sh"], cwd=project.directory, capture_output=True)
    assert (result.returncode, project.bitstream.exists()) == ((0, True) if done else (1, False))
    assert done or result.stdout.decode().strip() == log


@pytest.mark.parametrize("made", [True, False])
def test_a_chip_database_of_its_own_for_a_gowin_board(tmp_path, monkeypatch, made):
    asked = []

    def write_database(placer, family, target):
        asked.append((placer, family, target))
        return made

    monkeypatch.setattr(nextpnr, "write_database", write_database)
    platform = board("tang-primer-20k").build_platform("nextpnr")
    variables = platform.prepare_run(tmp_path / "placer", tmp_path)
    assert asked == [(tmp_path / "placer", "GW2A-18C", tmp_path / "chipdb.bin")]
    assert variables == ({"GOWIN_CHIPDB": "chipdb.bin"} if made else {})


def test_the_script_works_on_its_own(project, tools):
    subprocess.run(["sh", "build_top.sh"], cwd=project.directory, check=True)
    assert project.bitstream.read_text() == "bits\n"


def test_the_script_finds_what_pip_installed(project, tools, monkeypatch):
    for name in ("nextpnr-ecp5", "ecppack"):
        (tools / name).rename(tools / f"yowasp-{name}")
        monkeypatch.delenv(name.upper().replace("-", "_"))
    monkeypatch.setenv("PATH", f"{tools}:/usr/bin:/bin")
    subprocess.run(["sh", "build_top.sh"], cwd=project.directory, check=True)
    assert project.bitstream.exists()


def test_a_routed_design(project, tools):
    placed = place_and_route.make_bitstream(project, 85.0)
    assert placed.tool == "nextpnr-ecp5 9.9"
    assert placed.fmax_mhz == pytest.approx(99.73, abs=0.01)
    assert project.bitstream.read_text() == "bits\n"
    assert (project.directory / "top.tim").read_text() == ECP5_LOG
    place_and_route.refuse_if_too_slow(placed, 85.0)


def test_it_is_kept_by_design_and_constraints(project, tools):
    first = place_and_route.make_bitstream(project, 85.0)
    project.bitstream.unlink()
    assert place_and_route.make_bitstream(project, 85.0) == first
    assert project.bitstream.exists()
    assert len((tools / "runs").read_text().splitlines()) == 1
    lpf = project.directory / "top.lpf"
    lpf.write_text(lpf.read_text() + "\n")
    place_and_route.make_bitstream(project, 85.0)
    assert len((tools / "runs").read_text().splitlines()) == 2


def test_versions_of_the_tools_that_took_part(project, tools):
    expected = {"nextpnr-ecp5": "9.9", "ecppack": "1.4-9-gabc"}
    assert place_and_route.make_bitstream(project, 85.0).versions == expected
    # of the kept result, too
    assert place_and_route.make_bitstream(project, 85.0).versions == expected
    (tools / "ecppack").write_text(PACKER.replace("Version 1.4-9-gabc", ""))
    placed = place_and_route.make_bitstream(project, 85.0)
    assert placed.versions == {"nextpnr-ecp5": "9.9", "ecppack": None}


def miss_the_clock(directory, mhz=81.3):
    """In the directory of the tools, or in one of a seed there."""
    report = json.loads(json.dumps(ECP5_REPORT))
    report["fmax"] = {name: {"achieved": mhz, "constraint": 85} for name in report["fmax"]}
    directory.mkdir(exist_ok=True)
    (directory / "top.report.json").write_text(json.dumps(report))
    (directory / "top.tim").write_text(ECP5_LOG.replace("99.73 MHz (PASS", f"{mhz:.2f} MHz (FAIL"))


def runs(tools) -> int:
    return len((tools / "runs").read_text().splitlines())


def test_a_clock_that_is_missed_leaves_no_bitstream(project, tools):
    project.bitstream.write_text("of another design")
    miss_the_clock(tools)
    placed = place_and_route.make_bitstream(project, 85.0)
    assert not project.bitstream.exists()
    with pytest.raises(UserError) as error:
        place_and_route.refuse_if_too_slow(placed, 85.0)
    assert str(error.value) == (
        "timing not met: routed at 81.3 MHz, 85 MHz asked for; try --clock 80"
    )
    # this result is kept
    assert place_and_route.make_bitstream(project, 85.0) == placed
    assert runs(tools) == 3


def test_another_placement_is_tried_when_one_misses_the_clock(project, tools):
    miss_the_clock(tools / "2")
    placed = place_and_route.make_bitstream(project, 85.0)
    assert placed.meets(85.0) and project.has_bitstream()
    assert (project.directory / "top.tim").read_text() == ECP5_LOG
    seeds = [line.split()[1] for line in (tools / "runs").read_text().splitlines()]
    assert seeds == ["2", "1"]


def test_of_placements_that_miss_the_clock_the_fastest_counts(project, tools):
    for seed, mhz in {"1": 79.0, "2": 84.5, "3": 62.0}.items():
        miss_the_clock(tools / seed, mhz)
    assert place_and_route.make_bitstream(project, 85.0).fmax_mhz == 84.5
    assert "84.50 MHz" in (project.directory / "top.tim").read_text()
    assert not project.bitstream.exists()


def test_the_script_takes_a_seed(project, tools, monkeypatch):
    monkeypatch.setenv("NEXTPNR_SEED", "17")
    subprocess.run(["sh", "build_top.sh"], cwd=project.directory, check=True)
    assert (tools / "runs").read_text().startswith("--seed 17 ")


def test_a_tool_that_fails_is_quoted(project, tools):
    project.bitstream.write_text("of another design")
    (tools / "top.report.json").unlink()
    with pytest.raises(ToolError, match=r"(?s)build_top\.sh failed with status 7:.*cannot stat"):
        place_and_route.make_bitstream(project, 85.0)
    assert not project.bitstream.exists()


@pytest.mark.parametrize(
    ("packer", "message"),
    [
        ("echo no memory >&2; exit 3", "failed with status 3:\n.*no memory"),
        ("echo part > top.bit; exit 3", "failed with status 3"),
        ("true", "failed with status 0"),
    ],
)
def test_a_packer_that_fails_is_no_missed_clock(project, tools, packer, message):
    (tools / "ecppack").write_text(PACKER.replace("echo bits > top.bit", packer))
    for run in (1, 2):
        with pytest.raises(ToolError, match=f"(?s){message}"):
            place_and_route.make_bitstream(project, 85.0)
        assert runs(tools) == run
        assert not project.bitstream.exists()


def test_routing_that_fails_is_no_missed_clock(project, tools):
    """The log tells a frequency after placement, which was missed."""
    miss_the_clock(tools)
    (tools / "nextpnr-ecp5").write_text(
        NEXTPNR.format(directory=tools).replace(f" {tools}/top.report.json", "")
    )
    with pytest.raises(ToolError, match="failed with status 1"):
        place_and_route.make_bitstream(project, 85.0)


def test_an_interrupted_run_leaves_no_earlier_bitstream(project, tools, monkeypatch):
    place_and_route.make_bitstream(project, 85.0)
    assert project.has_bitstream()

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(place_and_route, "cached_file", interrupt)
    with pytest.raises(KeyboardInterrupt):
        place_and_route.make_bitstream(project, 85.0)
    names = {path.name for path in project.directory.iterdir()}
    assert names.isdisjoint({"top.bit", "top.tim", "top.report.json"})


def test_a_bitstream_is_copied_whole_or_not_at_all(project, tools, monkeypatch):
    place_and_route.make_bitstream(project, 85.0)

    def break_off(source, target):
        target.write_text("bi")
        if source.name == "top.bit":
            raise OSError("no space left")

    monkeypatch.setattr(shutil, "copyfile", break_off)
    with pytest.raises(OSError, match="no space left"):
        place_and_route.make_bitstream(project, 85.0)
    assert not [path for path in project.directory.iterdir() if "top.bit" in path.name]


@pytest.mark.parametrize(
    ("name", "extra", "tools_named"),
    [
        ("ulx3s", "ecp5", "nextpnr-ecp5, ecppack"),
        ("tang-nano-9k", "gowin", "nextpnr-himbaechel-gowin, gowin_pack"),
    ],
)
def test_without_tools_one_line_says_what_to_do(tmp_path, monkeypatch, name, extra, tools_named):
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    project = toolchain.Project(tmp_path, board(name), "nextpnr", [])
    assert toolchain.advice(project, project.tools.missing()) == (
        f"no bitstream yet: {tools_named} not found; pip install 'gateformer[{extra}]', "
        f"then run: cd {tmp_path} && sh build_top.sh"
    )


@pytest.mark.parametrize(
    ("name", "known"), [("ulx3s", "nextpnr"), ("arty-a7-35", "vivado, openxc7")]
)
def test_unknown_toolchains(name, known):
    with pytest.raises(UserError) as error:
        toolchain.choose_toolchain(board(name), "diamond")
    assert str(error.value) == f"unknown toolchain 'diamond' for {name}; known: {known}"
