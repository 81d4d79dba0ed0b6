"""What place and route reported about a design: nextpnr's log and report, Vivado's reports.

Formats: nextpnr, ``common/kernel/report.cc`` and ``timing_log.cc`` (older: ``common/timing.cc``);
Vivado, UG906, "Design Analysis and Closure Techniques" (timing summary), and UG835,
``report_utilization``.
"""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

from .family import UNITS, Family

UTILIZATION_RPT, TIMING_RPT = "top_utilization_place.rpt", "top_timing.rpt"
NEXTPNR_LOG, NEXTPNR_REPORT = "top.tim", "top.report.json"


@dataclasses.dataclass(frozen=True)
class CriticalPath:
    """The slowest path between two registers of the core's clock: cell and port, nanoseconds."""

    start: str
    end: str
    delay_ns: float


@dataclasses.dataclass(frozen=True)
class Placed:
    """Result of place and route; None where it was not reported.

    Attributes
    ----------
    tool : str
        "nextpnr-ecp5 0.11.1", "Vivado v.2023.2".
    fmax_mhz : float
        Highest frequency of the core's clock, after routing.
    critical_path : CriticalPath or None
    used : dict or None
        Number of each of :data:`.family.UNITS`.
    """

    tool: str
    fmax_mhz: float
    critical_path: CriticalPath | None = None
    used: dict[str, float] | None = None


class NotAReport(ValueError):
    """A file is not the report that its name says."""


def read_nextpnr(directory: Path, family: Family, tool: str) -> Placed:
    """From ``top.tim``, the log, and ``top.report.json``, which older versions don't write.

    Raises NotAReport if the log tells no frequency.
    """
    log = (directory / NEXTPNR_LOG).read_text(encoding="utf-8", errors="replace")
    report_path = directory / NEXTPNR_REPORT
    clocks, path = _clocks_of_log(log), None
    if report_path.exists():
        try:
            report = json.loads(report_path.read_text(encoding="utf-8"))
            clocks = {name: clock["achieved"] for name, clock in report["fmax"].items()}
            path = _path_of_report(report, min(clocks, key=clocks.get, default=None))
        except (ValueError, KeyError, TypeError) as error:
            raise NotAReport(f"{report_path} is not a report of nextpnr") from error
    if not clocks:
        raise NotAReport(f"{directory / NEXTPNR_LOG} tells no frequency of a clock")
    sites = {
        name: int(used)
        for name, used in re.findall(r"^Info:\s+(\w+):\s+(\d+)/\s*\d+\s+\d+%$", log, re.MULTILINE)
    }
    used = family.count_placed(sites) if sites else None
    return Placed(tool, min(clocks.values()), path, used)


def _clocks_of_log(log: str) -> dict[str, float]:
    """The last frequency told of every clock is the one after routing."""
    pattern = r"Max frequency for clock\s+'([^']*)':\s*([\d.]+) MHz"
    return {name: float(mhz) for name, mhz in re.findall(pattern, log)}


def _path_of_report(report: dict, clock: str | None) -> CriticalPath | None:
    for path in report.get("critical_paths", ()):
        if path["from"] == path["to"] == f"posedge {clock}":
            steps = path["path"]
            first, last = steps[0]["from"], steps[-1]["to"]
            return CriticalPath(
                f"{first['cell']}.{first['port']}",
                f"{last['cell']}.{last['port']}",
                round(sum(step["delay"] for step in steps), 3),
            )
    return None


def read_vivado(directory: Path) -> Placed:
    """From ``top_timing.rpt`` and, if it is there, ``top_utilization_place.rpt``.

    Raises NotAReport if the first has no clock with a slack.
    """
    text = (directory / TIMING_RPT).read_text(encoding="utf-8", errors="replace")
    tool = re.search(r"^\| Tool Version\s*: (Vivado v\.\S+)", text, re.MULTILINE)
    frequencies = [
        1000 / (period - slack)
        for name, slack in _slacks(text).items()
        if (period := _periods(text).get(name)) is not None
    ]
    if tool is None or not frequencies:
        raise NotAReport(f"{directory / TIMING_RPT} is not a timing summary of Vivado")
    utilization = directory / UTILIZATION_RPT
    used = _vivado_used(utilization.read_text(encoding="utf-8")) if utilization.exists() else None
    return Placed(tool[1], min(frequencies), _vivado_path(text), used)


def _section(text: str, title: str) -> str:
    """Lines under a boxed heading, up to the next one."""
    match = re.search(rf"^\| {title}\s*\n\| -+\n(.*?)(?=^-+\n\| |\Z)", text, re.M | re.S)
    return match[1] if match else ""


def _periods(text: str) -> dict[str, float]:
    pattern = r"^\s*(\S+)\s+\{[^}]*\}\s+([\d.]+)\s+[\d.]+\s*$"
    rows = re.findall(pattern, _section(text, "Clock Summary"), re.M)
    return {name: float(period) for name, period in rows}


def _slacks(text: str) -> dict[str, float]:
    """Worst setup slack of each clock that has paths between registers."""
    pattern = r"^(\S+)\s+(-?\d+\.\d+)\s+-?\d+\.\d+\s+\d+\s+\d+\s"
    return {
        name: float(slack)
        for name, slack in re.findall(pattern, _section(text, "Intra Clock Table"), re.M)
    }


def _vivado_path(text: str) -> CriticalPath | None:
    pattern = (
        r"^Slack \((?:MET|VIOLATED)\) :.*?Source:\s+(\S+).*?Destination:\s+(\S+)"
        r".*?Data Path Delay:\s+([\d.]+)ns"
    )
    match = re.search(pattern, text, re.M | re.S)
    return CriticalPath(match[1], match[2], float(match[3])) if match else None


def _vivado_used(text: str) -> dict[str, float] | None:
    rows = dict(
        zip(UNITS, ("Slice LUTs", "Slice Registers", "Block RAM Tile", "DSPs"), strict=True)
    )
    used = {}
    for unit, title in rows.items():
        match = re.search(rf"^\| {title}\*?\s*\|\s*([\d.]+)\s*\|", text, re.MULTILINE)
        if match is None:
            return None
        used[unit] = float(match[1]) if "." in match[1] else int(match[1])
    return used
