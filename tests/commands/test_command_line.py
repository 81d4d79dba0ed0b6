"""The command ``gateformer``: every subcommand, from any directory, and what is said of others."""

from __future__ import annotations

import ast
import subprocess
import sys

import pytest

from gateformer.model.support.errors import UserError
from gateformer.platforms import command_line
from gateformer.platforms.command_line import COMMANDS
from tests.test_rooms import MODULES

WITHOUT_MUCH_OR_NETWORK = """
import socket, sys

def refuse(*_):
    raise AssertionError("a connection to the network")

for name in ("torch", "onnx", "onnxruntime", "matplotlib"):
    sys.modules[name] = None
sys.dont_write_bytecode = True
socket.socket.connect = refuse
from gateformer.platforms.command_line import main
main()
"""


@pytest.fixture
def elsewhere(tmp_path):
    """A directory as people have them: with a model.py and a build.py of their own."""
    for name in ("model.py", "build.py", "platforms.py", "gateware.py"):
        (tmp_path / name).write_text("raise AssertionError('somebody else\\'s file')\n")
    return tmp_path


def gateformer(directory, *arguments):
    return subprocess.run(
        [sys.executable, "-c", WITHOUT_MUCH_OR_NETWORK, *arguments],
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_every_command_from_any_directory(name, elsewhere):
    """It needs no torch, and writes nothing."""
    before = sorted(elsewhere.rglob("*"))
    result = gateformer(elsewhere, name, "--help")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith(f"usage: gateformer {name} ")
    assert sorted(elsewhere.rglob("*")) == before


def test_the_help_names_every_command(elsewhere):
    for arguments in ([], ["--help"]):
        result = gateformer(elsewhere, *arguments)
        assert (result.returncode, result.stderr) == (0, "")
        assert [line.split()[0] for line in result.stdout.splitlines() if line[:2] == "  "] == list(
            COMMANDS
        )


def test_every_module_that_can_be_started_is_a_command():
    started = {
        name.removeprefix("gateformer.")
        for name, path in MODULES.items()
        if "__main__" in ast.unparse(ast.parse(path.read_text(encoding="utf-8")))
    }
    commands = {command.module for command in COMMANDS.values()}
    assert started - {"platforms.command_line"} <= commands


@pytest.mark.parametrize(
    "name, message",
    [
        ("traim", "gateformer has no command 'traim'; did you mean train?"),
        ("--list", "gateformer has no command '--list'; gateformer --help lists them"),
    ],
)
def test_other_commands_are_refused(name, message):
    with pytest.raises(UserError) as caught:
        command_line._without_command(name)
    assert str(caught.value) == message
