"""From a build directory to a bitstream: runs the tools, or reads what they reported elsewhere."""

from __future__ import annotations

import dataclasses
import math
import os
import re
import shutil
import subprocess
from pathlib import Path

from model.errors import UserError

from .cache import cache_directory, cached_file, digest
from .nextpnr import environment_variable
from .placed import NotAReport, Placed
from .placed_nextpnr import NEXTPNR_LOG, NEXTPNR_REPORT, read_nextpnr
from .placed_reports import read_reports, remove_reports
from .placed_vivado import TIMING_RPT
from .progress import working
from .tool_versions import nextpnr_version, tool_version
from .toolchain import Project, run_script
from .yosys import ToolError, kill_with_children

_VERSION_NAME = "version.txt"
"""Tools and versions, as in "ecppack 1.4", nextpnr's first."""
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
    met there is no bitstream of that name afterwards; see :func:`refuse_if_too_slow`. Nor is
    there one, or a report, of an earlier run, however this one ends.

    Raises ToolError if a tool fails for any other reason.
    """
    project.remove_bitstream()
    remove_reports(project)
    make = _by_nextpnr if project.toolchain == "nextpnr" else _by_script
    try:
        placed = make(project, clock_mhz)
    except BaseException:
        # what a tool that was broken off has left
        project.bitstream.unlink(missing_ok=True)
        raise
    if placed is not None and not placed.meets(clock_mhz) and project.bitstream.exists():
        os.replace(project.bitstream, project.failed_bitstream)
    return placed


def _by_script(project: Project, clock_mhz: float) -> Placed | None:
    """All tools in the build directory."""

    def reported() -> Placed | None:
        placed = read_reports(project, toolchains=[project.toolchain])
        if placed is None:
            return None
        versions = {
            tool: placed.versions.get(tool) or tool_version(path) for tool, path in found.items()
        }
        return dataclasses.replace(placed, versions=versions)

    found = project.tools.found()
    try:
        run_script(project)
    except ToolError:
        placed = reported()
        if placed is None or placed.meets(clock_mhz):
            raise
        return placed
    return reported()


def _by_nextpnr(project: Project, clock_mhz: float) -> Placed | None:
    """nextpnr and the packer, kept by the digest of netlist, constraints, commands and versions."""
    found = project.tools.found()
    environment = {environment_variable(tool): path for tool, path in found.items()}
    packing_tool, packer = list(found.items())[1]
    version = nextpnr_version(next(iter(found.values())))
    packed_by = Path(packer).resolve()
    inputs = [path for path in project.files if path.suffix not in (".il", ".v")]
    texts = [f"{path.name}\n{path.read_text(encoding='utf-8')}" for path in inputs]
    key = digest(version, f"{packed_by} {packed_by.stat().st_mtime_ns}", *texts)
    bitstream = project.bitstream.name

    def placed_in(directory: Path) -> Placed | None:
        log, report = (directory / name for name in (NEXTPNR_LOG, NEXTPNR_REPORT))
        try:
            return read_nextpnr(
                log, report if report.exists() else None, project.board.family, version
            )
        except (NotAReport, FileNotFoundError):
            return None

    def too_slow(directory: Path) -> bool:
        # the report is written after routing, the log tells frequencies before, too
        placed = placed_in(directory) if (directory / NEXTPNR_REPORT).exists() else None
        return placed is not None and not placed.meets(clock_mhz)

    def make(work: Path, target: Path):
        target.mkdir()
        for path in inputs:
            shutil.copy(path, work / path.name)
        status, log = _run_with_phases(project, work, environment)
        done = status == 0 and (work / bitstream).exists()
        if not done and not too_slow(work):
            tail = "\n".join(log.splitlines()[-20:])
            raise ToolError(f"{project.script} failed with status {status}:\n{tail}")
        for made in (NEXTPNR_LOG, NEXTPNR_REPORT, *([bitstream] if done else [])):
            if (work / made).exists():
                (work / made).rename(target / made)
        versions = f"{version}\n{packing_tool} {tool_version(packer) or ''}"
        (target / _VERSION_NAME).write_text(versions, encoding="utf-8")

    name = f"routed-{key}"
    kept = cache_directory() / name
    if kept.exists() and not (kept / bitstream).exists() and not too_slow(kept):
        # kept by an earlier version of this program, although the packer had failed
        shutil.rmtree(kept)
    result = cached_file(name, make)
    for made in (NEXTPNR_LOG, NEXTPNR_REPORT, bitstream):
        if (result / made).exists():
            _copy_whole(result / made, project.directory / made)
    placed = placed_in(result)
    if placed is None:
        return None
    _, *packers = (result / _VERSION_NAME).read_text(encoding="utf-8").splitlines()
    versions = {name: number or None for name, _, number in (p.partition(" ") for p in packers)}
    # earlier versions of this program did not note the packer's
    return dataclasses.replace(placed, versions={**placed.versions, packing_tool: None, **versions})


def _copy_whole(source: Path, target: Path) -> None:
    """Copy to a file that is either absent, old or complete."""
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        shutil.copyfile(source, temporary)
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def _run_with_phases(
    project: Project, directory: Path, environment: dict[str, str]
) -> tuple[int, str]:
    """Run the script, showing the phase; its status and output."""
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
        kill_with_children(process)
        raise
    return process.returncode, "".join(lines)


def refuse_if_too_slow(placed: Placed, clock_mhz: float) -> None:
    """UserError, naming both frequencies and one to try, if timing is not met."""
    if placed.meets(clock_mhz):
        return
    if placed.fmax_mhz >= clock_mhz:
        raise UserError(f"timing not met: {placed.violation}; see {TIMING_RPT}")
    step = 5 if placed.fmax_mhz > 10 else 1
    # a hundredth less, since every placement comes out a little different
    slower = math.floor(0.99 * placed.fmax_mhz / step) * step
    raise UserError(
        f"timing not met: routed at {placed.fmax_mhz:.1f} MHz, {clock_mhz:g} MHz asked for; "
        f"try --clock {slower}"
    )
