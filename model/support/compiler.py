"""Compilers of C and C++: the machine's, or the one that pip installs."""

from __future__ import annotations

import dataclasses
import importlib.util
import os
import shlex
import shutil
import subprocess
import sys

from .errors import UserError


@dataclasses.dataclass(frozen=True)
class Language:
    """What a compiler is looked for by: environment variable, usual commands, Zig's command."""

    name: str
    variable: str
    commands: tuple[str, ...]
    zig: str


C = Language("C", "CC", ("cc", "gcc", "clang"), "cc")
CXX = Language("C++", "CXX", ("g++", "clang++"), "c++")


def find_compiler(language: Language, user: str) -> list[str]:
    """Command of a compiler: the environment variable's, the machine's or ziglang's.

    ``user`` is what needs it, for the message. Raises UserError if there is none.
    """
    if os.environ.get(language.variable):
        command = shlex.split(os.environ[language.variable])
        if shutil.which(command[0]):
            return command
        raise UserError(
            f"the {language.name} compiler of the environment variable {language.variable}, "
            f"{command[0]!r}, was not found; unset {language.variable} or name a compiler"
        )
    for name in language.commands:
        if shutil.which(name):
            return [name]
    if importlib.util.find_spec("ziglang"):
        return [sys.executable, "-m", "ziglang", language.zig]
    raise UserError(
        f"no {language.name} compiler found ({', '.join(language.commands)} or "
        f"${language.variable}), which {user} needs; install one, or: pip install ziglang"
    )


def identity(compiler: list[str]) -> str:
    """What tells one compiler from another: the first line of its version."""
    result = subprocess.run([*compiler, "--version"], capture_output=True, text=True, check=False)
    return (result.stdout or result.stderr).partition("\n")[0]
