"""Which reports in a build directory are about its design, and what they say."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from rich.console import Console

from .nextpnr_report import NEXTPNR_LOG, NEXTPNR_REPORT, read_nextpnr
from .placed import NotAReport, Placed
from .project import Project
from .toolchain import placer
from .vivado_report import TIMING_RPT, UTILIZATION_RPT, read_vivado


def report_names(toolchain: str) -> tuple[str, str]:
    """Files that a toolchain reports in: the one that tells the frequency, and a further one."""
    if toolchain == "vivado":
        return TIMING_RPT, UTILIZATION_RPT
    return NEXTPNR_LOG, NEXTPNR_REPORT


def remove_reports(project: Project) -> None:
    """Before a run: what is there afterwards is that run's."""
    for name in report_names(project.toolchain):
        (project.directory / name).unlink(missing_ok=True)


def read_reports(
    project: Project, output: Console | None = None, toolchains: Iterable[str] | None = None
) -> Placed | None:
    """What place and route reported in the build directory; None if there is nothing to go by.

    The newest report counts, whichever of the board's toolchains made it, or of ``toolchains``.
    A file that is older than a file of the design is another design's: ``output`` is told.
    """

    def tell(complaint: str) -> None:
        if output is not None:
            output.print(complaint, markup=False, highlight=False, soft_wrap=True)

    def current(path: Path) -> bool:
        if project.is_current(path):
            return True
        tell(f"{path} is older than the design and is ignored")
        return False

    candidates = []
    for toolchain in toolchains or project.board.toolchains:
        first, second = (project.directory / name for name in report_names(toolchain))
        if first.exists():
            candidates.append((first.stat().st_mtime_ns, toolchain, first, second))
    for _, toolchain, first, second in sorted(candidates, reverse=True):
        if not current(first):
            continue
        second = second if second.exists() and current(second) else None
        try:
            if toolchain == "vivado":
                return read_vivado(first, second)
            tool = placer(project.board, toolchain)
            board = project.board
            placed = read_nextpnr(first, second, board.family, tool)
            return placed.with_multipliers(board.multiplier_mhz, board.family.dsp_unit)
        except NotAReport as error:
            tell(f"{error}; it is ignored")
    return None
