"""From a build directory to a bitstream: runs the tools, or reads what they reported elsewhere."""

from __future__ import annotations

import dataclasses
import math
import os
import re
import shutil
import subprocess
from pathlib import Path

from gateformer.model.support.cache import cached_file, digest
from gateformer.model.support.errors import ToolError, UserError
from gateformer.model.support.whole_file import complete_file

from ..boards.nextpnr import SEED_VARIABLE, environment_variable
from ..support.progress import working
from ..support.tool_versions import nextpnr_version, tool_version
from ..support.tools import kill_with_children
from .nextpnr_report import NEXTPNR_LOG, NEXTPNR_REPORT, read_nextpnr
from .placed import NotAReport, Placed
from .project import Project, run_script
from .reports import read_reports, remove_reports
from .vivado_report import TIMING_RPT

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
    """Run the toolchain to :attr:`platforms.place_and_route.project.Project.bitstream`.

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
        for path in (project.bitstream, *project.products):
            path.unlink(missing_ok=True)
        raise
    if placed is not None and not placed.meets(clock_mhz) and project.bitstream.exists():
        os.replace(project.bitstream, project.failed_bitstream)
        for path in project.products:
            path.unlink(missing_ok=True)
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
    """nextpnr and the packer, with one seed after the other until the clock is met.

    Of placements that all miss it, the fastest counts.
    """
    runs = _NextpnrRuns(project, clock_mhz)
    best = None
    for attempt, seed in enumerate(runs.seeds, 1):
        title = "place and route"
        if best is not None:
            fastest = f"{best[1].fmax_mhz:.1f} MHz so far"
            title += f", placement {attempt} of {len(runs.seeds)} ({fastest})"
        directory = runs.run(seed, title)
        placed = runs.read(directory)
        if placed is None:
            best = directory, None
            break
        if best is None or placed.fmax_mhz > best[1].fmax_mhz:
            best = directory, placed
        if placed.meets(clock_mhz):
            break
    directory, placed = best
    for made in (NEXTPNR_LOG, NEXTPNR_REPORT, project.bitstream.name, *runs.products):
        if (directory / made).exists():
            with complete_file(project.directory / made) as target:
                shutil.copyfile(directory / made, target)
    return placed


class _NextpnrRuns:
    """Runs with different seeds, kept by netlist, constraints, commands, versions and seed."""

    def __init__(self, project: Project, clock_mhz: float):
        self._project, self._clock_mhz = project, clock_mhz
        found = project.tools.found()
        self._environment = {environment_variable(tool): path for tool, path in found.items()}
        (_, placer), (packing_tool, packer) = found.items()
        self._placer, self._platform = Path(placer), project.board.build_platform("nextpnr")
        self.seeds = self._platform.seeds
        self.products = [path.name for path in project.products]
        self._version = nextpnr_version(placer)
        self._packing = f"{packing_tool} {tool_version(packer) or ''}"
        self._inputs = [path for path in project.files if path.suffix not in (".il", ".v")]
        packed_by = Path(packer).resolve()
        self._key = (
            self._version,
            f"{packed_by} {packed_by.stat().st_mtime_ns}",
            # the bitstream has what these add, if they are there
            *(f"{tool} {_found(tool)}" for tool in self._platform.finishing_tools),
            *(f"{path.name}\n{path.read_text(encoding='utf-8')}" for path in self._inputs),
        )

    def run(self, seed: int, title: str) -> Path:
        """Directory with log, report, versions and, if the tools made one, the bitstream."""

        def make(work: Path, target: Path):
            target.mkdir()
            for path in self._inputs:
                shutil.copy(path, work / path.name)
            environment = {**self._environment, SEED_VARIABLE: str(seed)}
            environment |= self._platform.prepare_run(self._placer, work)
            status, log = _run_with_phases(self._project, work, environment, title)
            bitstream = work / self._project.bitstream.name
            done = status == 0 and bitstream.exists()
            if not done and not self._too_slow(work):
                tail = "\n".join(log.splitlines()[-20:])
                raise ToolError(f"{self._project.script} failed with status {status}:\n{tail}")
            made = [bitstream.name, *self.products] if done else []
            kept = (NEXTPNR_LOG, NEXTPNR_REPORT, *made)
            for path in map(work.joinpath, kept):
                if path.exists():
                    path.rename(target / path.name)
            versions = f"{self._version}\n{self._packing}"
            (target / _VERSION_NAME).write_text(versions, encoding="utf-8")

        return cached_file(f"routed-{digest(*self._key, str(seed))}", make)

    def read(self, directory: Path) -> Placed | None:
        """What a run reported; None if nothing that can be read."""
        placed = self._reported(directory)
        if placed is None:
            return None
        _, packing = (directory / _VERSION_NAME).read_text(encoding="utf-8").splitlines()
        tool, _, number = packing.partition(" ")
        return dataclasses.replace(placed, versions={**placed.versions, tool: number or None})

    def _reported(self, directory: Path) -> Placed | None:
        log, report = directory / NEXTPNR_LOG, directory / NEXTPNR_REPORT
        board = self._project.board
        try:
            placed = read_nextpnr(
                log, report if report.exists() else None, board.family, self._version
            )
        except (NotAReport, FileNotFoundError):
            return None
        return placed.with_multipliers(board.multiplier_mhz, board.family.dsp_unit)

    def _too_slow(self, directory: Path) -> bool:
        # the report is written after routing, the log tells frequencies before, too
        placed = self._reported(directory) if (directory / NEXTPNR_REPORT).exists() else None
        return placed is not None and not placed.meets(self._clock_mhz)


def _found(tool: str) -> str | None:
    return shutil.which(os.environ.get(environment_variable(tool), tool))


def _run_with_phases(
    project: Project, directory: Path, environment: dict[str, str], title: str
) -> tuple[int, str]:
    """Run the script, showing the phase after ``title``; its status and output."""
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
        with working(f"{title}: reading the netlist") as show:
            for line in process.stdout:
                lines.append(line)
                for pattern, phase in _PHASES.items():
                    if re.match(pattern, line):
                        show(f"{title}: {phase}")
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
        log = TIMING_RPT if placed.tool.startswith("Vivado") else NEXTPNR_LOG
        raise UserError(f"timing not met: {placed.violation}; see {log}")
    step = 5 if placed.fmax_mhz > 10 else 1
    # a hundredth less, since every placement comes out a little different
    slower = math.floor(0.99 * placed.fmax_mhz / step) * step
    raise UserError(
        f"timing not met: routed at {placed.fmax_mhz:.1f} MHz, {clock_mhz:g} MHz asked for; "
        f"try --clock {slower}"
    )
