"""Build directories for nextpnr, and their script; the tools are fake."""

import subprocess

import pytest

from gateformer.platforms.boards import nextpnr
from gateformer.platforms.boards.board import board
from gateformer.platforms.place_and_route import project as projects
from tests.platforms.place_and_route.fake_nextpnr import (
    install,
    tiny_program,
    ulx3s_project,
    without_synthesis,
)


@pytest.fixture(scope="module")
def program():
    return tiny_program()


@pytest.fixture
def no_synthesis(monkeypatch, tmp_path):
    without_synthesis(monkeypatch, tmp_path)


@pytest.fixture
def project(program, no_synthesis, tmp_path):
    return ulx3s_project(program, tmp_path / "build")


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
    project = projects.write_project(target.build_top(program, 85.0), target, tmp_path / "build")
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
    project = projects.write_project(target.build_top(program, 27.0), target, tmp_path / "build")
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
    project = projects.write_project(target.build_top(program, 27.0), target, tmp_path / "build")
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


def test_the_script_takes_a_seed(project, tools, monkeypatch):
    monkeypatch.setenv("NEXTPNR_SEED", "17")
    subprocess.run(["sh", "build_top.sh"], cwd=project.directory, check=True)
    assert (tools / "runs").read_text().startswith("--seed 17 ")
