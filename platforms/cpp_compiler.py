"""The C++ compiler for compiled simulations: the machine's, or the one that pip installs."""

from __future__ import annotations

import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from model.errors import UserError

from .tools import ToolPool, run_tool

FLAGS = (
    "-std=c++17",
    "-O2",
    "-fPIC",
    "-fno-exceptions",
    "-fno-sanitize=all",  # Zig's compiler traps on undefined behaviour unless told not to.
    "-fvisibility=hidden",
    "-DNDEBUG",
    "-DCXXRTL_NDEBUG",
    "-w",
)


def find_compiler() -> list[str]:
    """Command of a C++ compiler: ``$CXX``, ``g++``, ``clang++`` or ``python -m ziglang c++``.

    Raises UserError if there is none.
    """
    if os.environ.get("CXX"):
        command = shlex.split(os.environ["CXX"])
        if shutil.which(command[0]):
            return command
        raise UserError(
            f"the C++ compiler of the environment variable CXX, {command[0]!r}, was not found; "
            "unset CXX or name a compiler"
        )
    for name in ("g++", "clang++"):
        if shutil.which(name):
            return [name]
    if importlib.util.find_spec("ziglang"):
        return [sys.executable, "-m", "ziglang", "c++"]
    raise UserError(
        "no C++ compiler found (g++, clang++ or $CXX), which the simulation needs; "
        "install one, or: pip install ziglang"
    )


def identity(compiler: list[str]) -> str:
    """What tells one compiler from another: the first line of its version."""
    result = subprocess.run([*compiler, "--version"], capture_output=True, text=True, check=False)
    return (result.stdout or result.stderr).partition("\n")[0]


def compile_library(
    compiler: list[str], sources: list[Path], target: Path, include: Path, jobs: int
) -> None:
    """Compile C++ ``sources`` (all in one directory) to the shared library ``target``.

    Up to ``jobs`` compilers run at the same time. Raises ToolError with the compiler's messages.
    """
    directory = target.parent

    def compile_unit(source: Path) -> str:
        unit = f"{source.stem}.o"
        run_tool(
            [*compiler, *FLAGS, f"-I{include}", "-c", source.name, "-o", unit],
            directory,
        )
        return unit

    with ToolPool(jobs) as pool:
        units = list(pool.map(compile_unit, sources))
    run_tool([*compiler, "-shared", "-fno-sanitize=all", *units, "-o", target.name], directory)
