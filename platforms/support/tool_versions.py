"""Versions of installed commands."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
from pathlib import Path

from gateformer.model.support.cache import cache_directory, exclusive
from gateformer.model.support.errors import ToolError


def nextpnr_version(nextpnr: str) -> str:
    """As in "nextpnr-ecp5 0.11.1". Raises ToolError if the command does not tell it."""
    status, answer = _ask(nextpnr)
    pattern = r'"(?:yowasp-)?([\w-]+)".*Version (?:nextpnr-)?([^)\s]+)'
    match = re.search(pattern, answer)
    if match is None:
        raise ToolError(f"{nextpnr} --version failed with status {status}")
    return f"{match[1]} {match[2]}"


def tool_version(command: str) -> str | None:
    """As in "1.4-82-g3afe7b5", or else that of the Python package the command is from, or None."""
    status, answer = _ask(command)
    match = re.search(r"(?<![\w.])\d+\.\d[\w.+-]*", answer)
    if status == 0 and match is not None:
        return match[0]
    path = Path(command)
    if path.parent == Path(sys.executable).parent:
        scripts = importlib.metadata.entry_points(group="console_scripts", name=path.name)
        for script in scripts:
            return script.dist.version
    return None


def _ask(command: str) -> tuple[int, str]:
    """Status and output of ``--version``.

    One process at a time: YoWASP compiles itself at first use (see
    :func:`platforms.support.yosys.prepare`).
    """
    with exclusive(cache_directory() / "nextpnr-version"):
        answer = subprocess.run(
            [command, "--version"], capture_output=True, text=True, stdin=subprocess.DEVNULL
        )
    return answer.returncode, answer.stdout + answer.stderr
