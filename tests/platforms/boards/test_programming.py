"""Loading a bitstream, with a fake programmer on the PATH."""

import io
import shutil
import subprocess

import pytest
from rich.console import Console

from gateformer.model.support.errors import UserError
from gateformer.platforms.boards.board import board
from gateformer.platforms.boards.programming import ZYNQ_PROGRAMMERS, check_programmers, program
from gateformer.platforms.families.zynq_address import FIRMWARE_ADDRESS


@pytest.fixture
def tools(monkeypatch, tmp_path):
    """Directory that is the whole PATH."""
    directory = tmp_path / "tools"
    directory.mkdir()
    monkeypatch.setenv("PATH", str(directory))
    for name in ("OPENFPGALOADER", "FUJPROG"):
        monkeypatch.delenv(name, raising=False)
    return directory


def install(directory, name, status=0):
    tool = directory / name
    arguments = directory / "arguments"
    tool.write_text(f'#!/bin/sh\nfor a in "$@"; do echo "$a"; done > {arguments}\nexit {status}\n')
    tool.chmod(0o755)


def arguments(directory) -> list[str]:
    """What the fake programmer was called with."""
    return (directory / "arguments").read_text().splitlines()


@pytest.fixture
def bitstream(tmp_path):
    path = tmp_path / "top.bit"
    path.write_text("bits")
    return path


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("ulx3s", "-b ulx3s"),
        ("tang-primer-20k", "-b tangprimer20k"),
        ("tang-nano-9k", "-b tangnano9k"),
        ("arty-a7-35", "-b arty_a7_35t"),
        ("arty-a7-100", "-b arty_a7_100t"),
        ("zybo", "-b zybo_z7_10"),
        ("zybo-z7-20", "-b zybo_z7_20"),
    ],
)
def test_open_fpga_loader(name, options, tools, bitstream):
    install(tools, "openFPGALoader")
    programmers = board(name).programmers
    check_programmers(programmers, name)
    text = io.StringIO()
    program(programmers, bitstream, Console(file=text, width=500))
    assert arguments(tools) == [*options.split(), str(bitstream)]
    assert text.getvalue() == f"loaded by openFPGALoader: {bitstream}\n"


def test_fujprog_serves_if_it_is_the_one_there(tools, bitstream):
    install(tools, "fujprog")
    program(board("ulx3s").programmers, bitstream, Console(file=io.StringIO()))
    assert arguments(tools) == [str(bitstream)]


def test_an_environment_variable_replaces_the_command(tools, bitstream, monkeypatch):
    install(tools, "mine")
    monkeypatch.setenv("OPENFPGALOADER", str(tools / "mine"))
    program(board("ulx3s").programmers, bitstream, Console(file=io.StringIO()))
    assert (tools / "arguments").exists()


def message(error) -> str:
    return str(error.value)


def test_no_programmer_installed(tools):
    with pytest.raises(UserError) as error:
        check_programmers(board("ulx3s").programmers, "ulx3s")
    assert message(error) == (
        "--program needs openFPGALoader or fujprog on the PATH; install one, or leave --program out"
    )


def test_a_board_that_none_can_program(tools):
    with pytest.raises(UserError) as error:
        check_programmers(board("cora-z7").programmers, "cora-z7")
    assert message(error) == "no programmer is known for cora-z7; leave --program out"


def test_no_bitstream(tools, tmp_path):
    install(tools, "openFPGALoader")
    with pytest.raises(UserError) as error:
        program(board("ulx3s").programmers, tmp_path / "top.bit", Console(file=io.StringIO()))
    assert message(error) == f"--program: there is no {tmp_path}/top.bit; see the line above"


def test_a_programmer_that_fails(tools, bitstream):
    install(tools, "openFPGALoader", status=3)
    with pytest.raises(UserError) as error:
        program(board("zybo").programmers, bitstream, Console(file=io.StringIO()))
    assert message(error) == "openFPGALoader failed with status 3; is the board connected?"


@pytest.fixture
def firmware(tmp_path):
    path = tmp_path / "with space" / "gateformer.elf"
    path.parent.mkdir()
    path.write_text("elf")
    return path


def test_openocd_loads_the_processor(tools, firmware):
    install(tools, "openocd")
    install(tools, "xsdb")
    text = io.StringIO()
    program(ZYNQ_PROGRAMMERS, firmware, Console(file=text, width=500))
    assert text.getvalue() == f"loaded by openocd: {firmware}\n"
    given = arguments(tools)
    assert given[::2] == ["-c"] * (len(given) // 2)
    assert given[-13::2] == [
        "init",
        "targets zynq.cpu0",
        "halt",
        f"load_image {{{firmware}}}",
        f"verify_image {{{firmware}}}",
        f"resume {FIRMWARE_ADDRESS:#x}",
        "shutdown",
    ]
    assert "source [find target/zynq_7000.cfg]" in given


def test_xsdb_loads_the_processor(tools, firmware):
    install(tools, "xsdb")
    check_programmers(ZYNQ_PROGRAMMERS, "zybo", "--firmware --program")
    program(ZYNQ_PROGRAMMERS, firmware, Console(file=io.StringIO()))
    option, script = arguments(tools)
    assert option == "-eval"
    assert script.split("; ")[-4:] == [
        "rst -processor",
        f"dow {{{firmware}}}",
        "con",
        "disconnect",
    ]


def test_no_programmer_of_the_processor(tools):
    with pytest.raises(UserError) as error:
        check_programmers(ZYNQ_PROGRAMMERS, "zybo", "--firmware --program")
    assert message(error) == (
        "--firmware --program needs openocd or xsdb on the PATH; install one, or leave --program "
        "out"
    )


@pytest.mark.skipif(shutil.which("openocd") is None, reason="openocd is not installed")
def test_the_real_openocd_understands_it_as_far_as_without_a_board(firmware):
    openocd = ZYNQ_PROGRAMMERS[0]
    result = subprocess.run(
        [openocd.command, *openocd.arguments(firmware)], capture_output=True, text=True, timeout=60
    )
    assert result.returncode == 1
    errors = [line for line in result.stderr.splitlines() if line.startswith("Error")]
    assert errors and all("device" in line for line in errors), result.stderr
