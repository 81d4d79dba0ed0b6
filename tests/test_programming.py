"""Loading a bitstream, with a fake programmer on the PATH."""

import io

import pytest
from rich.console import Console

from model.errors import UserError
from platforms.board import board
from platforms.programming import check_programmers, program


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
    tool.write_text(f'#!/bin/sh\necho "$@" > {directory / "arguments"}\nexit {status}\n')
    tool.chmod(0o755)


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
    assert (tools / "arguments").read_text() == f"{options} {bitstream}\n"
    assert text.getvalue() == f"loaded by openFPGALoader: {bitstream}\n"


def test_fujprog_serves_if_it_is_the_one_there(tools, bitstream):
    install(tools, "fujprog")
    program(board("ulx3s").programmers, bitstream, Console(file=io.StringIO()))
    assert (tools / "arguments").read_text() == f"{bitstream}\n"


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
