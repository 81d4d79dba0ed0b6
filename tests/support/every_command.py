"""Every command of the project: what the tests of their common habits run."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from gateformer.platforms import command_line as command_module
from gateformer.platforms.command_line import COMMANDS

ROOT = Path(__file__).parents[2]
TINY = "random:n_layers=1,d_model=16,n_heads=2,d_ff=32,ctx_len=8,vocab_size=16"


def commands() -> list[str]:
    """``build.py``, and the names of the other subcommands of ``gateformer``."""
    return ["build.py", *(name for name in COMMANDS if name != "build")]


def command_line(command: str, *arguments) -> list[str]:
    module = ["-m", command_module.__name__]
    how = [str(ROOT / command)] if command.endswith(".py") else [*module, command]
    return [sys.executable, *how, *map(str, arguments)]


def main_of(command: str) -> Callable[[], int | None]:
    """The function that a command calls."""
    name = command.removesuffix(".py")
    return importlib.import_module(f"gateformer.{COMMANDS[name].module}").main


def run(command: str, *arguments, cwd: Path, **options) -> subprocess.CompletedProcess:
    """The command in a directory; without the lines that tell a slow machine's progress.

    ``environment``: variables that differ; None: not set.
    """
    process = subprocess.run(
        command_line(command, *arguments),
        cwd=cwd,
        env=environment(options.pop("environment", {})),
        text=True,
        timeout=600,
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options},
    )
    if process.stderr is not None:
        process.stderr = re.sub(r"^\d+ s: .* \.\.\.\n", "", process.stderr, flags=re.MULTILINE)
    return process


def environment(changes: dict[str, str | None]) -> dict[str, str]:
    known = {**os.environ, **changes}
    return {name: value for name, value in known.items() if value is not None}
