"""From a build directory to a bitstream: runs the tools, or reads what they reported elsewhere."""

from __future__ import annotations

import math
import os
import re
import shutil
import subprocess
from pathlib import Path

from rich.console import Console

from model.errors import UserError

from .cache import cache_directory, cached_file, digest, exclusive
from .nextpnr import environment_variable
from .placed import (
    NEXTPNR_LOG,
    NEXTPNR_REPORT,
    TIMING_RPT,
    NotAReport,
    Placed,
    read_nextpnr,
    read_vivado,
)
from .progress import working
from .toolchain import Project, run_script
from .yosys import ToolError

FAILED_SUFFIX = ".timing-not-met"
_VERSION_NAME = "version.txt"
_PHASES = {
    r"^Info: Packing ": "packing",
    r"^Info: Creating initial analytic placement": "placing",
    r"^Info: Running simulated annealing placer": "placing, refinement",
    r"^Info: Routing\b": "routing",
    r"^Info: Slack histogram": "timing",
    r"^Info: Program finished": "bitstream",
}
"""Lines of nextpnr's log that begin a phase, by what is shown then."""


def make_bitstream(project: Project, clock_mhz: float) -> Placed | None:
    """Run the toolchain to :attr:`.toolchain.Project.bitstream`.

    Returns what place and route reported, None if it left no report. Without the clock's timing
    met there is no bitstream of that name afterwards; see :func:`refuse_if_too_slow`.

    Raises ToolError if a tool fails for any other reason.
    """
    if project.toolchain == "nextpnr":
        return _by_nextpnr(project)
    project.bitstream.unlink(missing_ok=True)
    try:
        run_script(project)
    except ToolError:
        placed = read_reports(project)
        if placed is None or placed.fmax_mhz >= clock_mhz:
            raise
        return placed
    placed = read_reports(project)
    if placed is not None and placed.fmax_mhz < clock_mhz:
        project.bitstream.rename(f"{project.bitstream}{FAILED_SUFFIX}")
    return placed


def _by_nextpnr(project: Project) -> Placed:
    """nextpnr and the packer, kept by the digest of netlist, constraints, commands and versions."""
    found = project.tools.found()
    environment = {environment_variable(tool): path for tool, path in found.items()}
    nextpnr, packer = found.values()
    version = _version(nextpnr)
    packed_by = Path(packer).resolve()
    inputs = [path for path in project.files if path.suffix not in (".il", ".v")]
    texts = [f"{path.name}\n{path.read_text(encoding='utf-8')}" for path in inputs]
    key = digest(version, f"{packed_by} {packed_by.stat().st_mtime_ns}", *texts)

    def make(work: Path, target: Path):
        target.mkdir()
        for path in inputs:
            shutil.copy(path, work / path.name)
        log = _run_with_phases(project, work, environment)
        made = (project.bitstream.name, NEXTPNR_LOG, NEXTPNR_REPORT)
        for name in made:
            if (work / name).exists():
                (work / name).rename(target / name)
        # a report without a bitstream: routed, but too slow
        if not (target / made[0]).exists() and not (target / NEXTPNR_REPORT).exists():
            raise ToolError(f"{project.script} failed:\n" + "\n".join(log.splitlines()[-20:]))
        (target / _VERSION_NAME).write_text(version, encoding="utf-8")

    result = cached_file(f"routed-{key}", make)
    project.bitstream.unlink(missing_ok=True)
    for path in result.iterdir():
        if path.name != _VERSION_NAME:
            shutil.copy(path, project.directory / path.name)
    return read_nextpnr(result, project.board.family, version)


def _version(nextpnr: str) -> str:
    """As in "nextpnr-ecp5 0.11.1".

    One process at a time: YoWASP compiles itself at first use (see :func:`.yosys.prepare`).
    """
    with exclusive(cache_directory() / "nextpnr-version"):
        command = [nextpnr, "--version"]
        answer = subprocess.run(command, capture_output=True, text=True)
    pattern = r'"(?:yowasp-)?([\w-]+)".*Version (?:nextpnr-)?([^)\s]+)'
    match = re.search(pattern, answer.stdout + answer.stderr)
    if match is None:
        raise ToolError(f"{nextpnr} --version failed with status {answer.returncode}")
    return f"{match[1]} {match[2]}"


def _run_with_phases(project: Project, directory: Path, environment: dict[str, str]) -> str:
    """Run the script, showing the phase; its output. A status other than 0 is for the caller."""
    lines = []
    process = subprocess.Popen(
        ["sh", project.script],
        cwd=directory,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        with working("place and route: reading the netlist") as show:
            for line in process.stdout:
                lines.append(line)
                for pattern, phase in _PHASES.items():
                    if re.match(pattern, line):
                        show(f"place and route: {phase}")
        process.wait()
    except BaseException:
        # the script's children, too
        os.killpg(process.pid, 9)
        process.wait()
        raise
    return "".join(lines)


def read_reports(project: Project, output: Console | None = None) -> Placed | None:
    """What place and route reported in the build directory; None if there is nothing to go by.

    Reports that are older than a file of the design are another design's: ``output`` is told.
    """
    vivado = project.toolchain == "vivado"
    name = TIMING_RPT if vivado else NEXTPNR_LOG
    path = project.directory / name
    if not path.exists():
        return None
    newest = max(file.stat().st_mtime_ns for file in project.files)
    complaint = None
    if path.stat().st_mtime_ns < newest:
        complaint = f"{path} is older than the design and is ignored"
    else:
        try:
            if vivado:
                return read_vivado(project.directory)
            tool = next(iter(name for name in project.tools.tools if name.startswith("nextpnr")))
            return read_nextpnr(project.directory, project.board.family, tool)
        except NotAReport as error:
            complaint = f"{error}; it is ignored"
    if output is not None:
        output.print(complaint, markup=False, highlight=False, soft_wrap=True)
    return None


def refuse_if_too_slow(placed: Placed, clock_mhz: float) -> None:
    """UserError, naming both frequencies and one to try, if timing is not met."""
    if placed.fmax_mhz >= clock_mhz:
        return
    step = 5 if placed.fmax_mhz > 10 else 1
    # a hundredth less, since every placement comes out a little different
    slower = math.floor(0.99 * placed.fmax_mhz / step) * step
    raise UserError(
        f"timing not met: routed at {placed.fmax_mhz:.1f} MHz, {clock_mhz:g} MHz asked for; "
        f"try --clock {slower}"
    )
