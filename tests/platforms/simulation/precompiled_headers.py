"""The headers of compiled simulations, which take longer to read than a small design."""

from __future__ import annotations

from pathlib import Path

from gateformer.model.support.cache import cached_file, digest
from gateformer.model.support.compiler import identity
from gateformer.platforms.support import cpp_compiler, yosys
from gateformer.platforms.support.tools import run_tool

_NAME = "headers.h"
_TEXT = "".join(
    f"#include <{name}>\n"
    for name in ("cxxrtl/cxxrtl.h", "algorithm", "deque", "fstream", "memory", "vector")
)


def flags() -> tuple[str, ...]:
    """Further options of the compiler with which it has the headers, of either optimization.

    None, where it is not ``g++``: what others make of them must be named by each use.
    """
    compiler = cpp_compiler.find_compiler()
    if Path(compiler[0]).name != "g++":
        return ()
    include = f"-I{yosys.cxxrtl_headers()}"

    def make(work: Path, target: Path) -> None:
        variants = target / f"{_NAME}.gch"
        variants.mkdir(parents=True)
        (target / _NAME).write_text(_TEXT, encoding="utf-8")
        for further in ((), (cpp_compiler.UNOPTIMIZED,)):
            output = f"{variants.name}/variant{len(further)}"
            options = (*cpp_compiler.FLAGS, *further, include, "-x", "c++-header", _NAME)
            run_tool([*compiler, *options, "-o", output], target)

    key = digest(yosys.version(), identity(compiler), *cpp_compiler.FLAGS, include, _TEXT)
    return ("-include", str(cached_file(f"headers-{key[:32]}", make) / _NAME))
