"""The C++ compiler for compiled simulations: the machine's, or the one that pip installs."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

from gateformer.model.support import compiler

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
UNOPTIMIZED = "-O0"


def find_compiler() -> list[str]:
    """Command of a C++ compiler: ``$CXX``, ``g++``, ``clang++`` or ``python -m ziglang c++``.

    Raises UserError if there is none.
    """
    return compiler.find_compiler(compiler.CXX, "the simulation")


def compile_library(
    command: list[str],
    sources: list[Path],
    target: Path,
    include: Path,
    jobs: int,
    *,
    once: Collection[Path] = (),
    done: Callable[[int, int], None] = lambda count, total: None,
) -> None:
    """Compile C++ ``sources`` (all in one directory) to the shared library ``target``.

    Up to ``jobs`` compilers run at the same time. What is in ``once``, too, is not optimized: it
    runs once, and would take longer to optimize than it ever runs. ``done`` is called with how many
    of the files are compiled, and how many there are. Raises ToolError with the compiler's
    messages.
    """
    directory, compiled = target.parent, []

    def compile_unit(source: Path) -> str:
        unit = f"{source.stem}.o"
        flags = (*FLAGS, UNOPTIMIZED) if source in once else FLAGS
        run_tool(
            [*command, *flags, f"-I{include}", "-c", source.name, "-o", unit],
            directory,
        )
        compiled.append(unit)
        done(len(compiled), len(sources))
        return unit

    done(0, len(sources))
    with ToolPool(jobs) as pool:
        units = dict(zip(sources, pool.map(compile_unit, sources), strict=True))
    # of a template's function in several units the linker takes the first one's
    units = [units[source] for source in sorted(sources, key=lambda source: source in once)]
    run_tool([*command, "-shared", "-fno-sanitize=all", *units, "-o", target.name], directory)
