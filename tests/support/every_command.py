"""Every command of the project: what the tests of their common habits run."""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import pytest

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
        process.stderr = without_progress(process.stderr)
    return process


def run_here(
    command: str,
    *arguments,
    cwd: Path,
    encoding: str = "utf-8",
    stdout: BinaryIO | None = None,
) -> subprocess.CompletedProcess:
    """As :func:`run`, in this process, so without the second that the imports take.

    The standard streams are files of this encoding, or ``stdout`` is the one given, unbuffered.
    """
    name = command.removesuffix(".py")
    program = f"python {command}" if command.endswith(".py") else None
    with contextlib.ExitStack() as stack:
        said = {name: stack.enter_context(tempfile.TemporaryFile()) for name in STREAMS}
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.chdir(cwd)
        patch.setattr(sys, "argv", sys.argv)
        stack.enter_context(_streams({**said, "stdout": stdout or said["stdout"]}, encoding))
        with pytest.raises(SystemExit) as left:
            command_module.run_command(name, [str(item) for item in arguments], program)
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        texts = {}
        for name, file in said.items():
            file.seek(0)
            texts[name] = file.read().decode(encoding)
    return subprocess.CompletedProcess(
        [command, *arguments], left.value.code, texts["stdout"], without_progress(texts["stderr"])
    )


STREAMS = ("stdout", "stderr")


@contextlib.contextmanager
def _streams(files: dict[str, BinaryIO], encoding: str) -> Iterator[None]:
    """These files as the standard streams, as the interpreter makes them."""
    places = [name for stream in STREAMS for name in (stream, f"__{stream}__")]
    before = {place: getattr(sys, place) for place in places}
    for name, file in files.items():
        errors = "backslashreplace" if name == "stderr" else "strict"
        opened = os.fdopen(os.dup(file.fileno()), "wb")
        made = io.TextIOWrapper(opened, encoding=encoding, errors=errors)
        setattr(sys, name, made)
        setattr(sys, f"__{name}__", made)
    try:
        yield
    finally:
        for name in STREAMS:
            getattr(sys, name).close()
        for place, stream in before.items():
            setattr(sys, place, stream)


def without_progress(said: str) -> str:
    """Standard error without the lines that tell a slow machine's progress."""
    return re.sub(r"^\d+ s: .* \.\.\.\n", "", said, flags=re.MULTILINE)


def environment(changes: dict[str, str | None]) -> dict[str, str]:
    known = {**os.environ, **changes}
    return {name: value for name, value in known.items() if value is not None}
