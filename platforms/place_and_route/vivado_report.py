"""Reader of Vivado's reports.

Formats: UG906, "Design Analysis and Closure Techniques" (timing summary), and UG835, "Tcl Command
Reference Guide", ``report_utilization``.
"""

from __future__ import annotations

import re
from pathlib import Path

from ..families.family import UNITS
from .placed import CriticalPath, NotAReport, Placed

UTILIZATION_RPT, TIMING_RPT = "top_utilization_place.rpt", "top_timing.rpt"

_SETUP, _HOLD, _PULSE = "WNS(ns)", "WHS(ns)", "WPWS(ns)"
_VIOLATIONS = {_HOLD: "hold", _PULSE: "pulse width"}


def read_vivado(timing: Path, utilization: Path | None) -> Placed:
    """From the timing summary and, if there is one, the utilization after placement.

    Raises NotAReport if the first has no clock with a setup slack.
    """
    text = timing.read_text(encoding="utf-8", errors="replace")
    tool = re.search(r"^\| Tool Version\s*: (Vivado v\.(\S+))", text, re.MULTILINE)
    periods, rows = _periods(text), _intra_clock_rows(text)
    frequencies = {
        name: 1000 / (periods[name] - row[_SETUP])
        for name, row in rows.items()
        if _SETUP in row and name in periods and periods[name] > row[_SETUP]
    }
    if tool is None or not frequencies:
        raise NotAReport(f"{timing} is not a timing summary of Vivado")
    slowest = min(frequencies, key=frequencies.get)
    return Placed(
        tool[1],
        frequencies[slowest],
        _path(text, slowest),
        None if utilization is None else _used(utilization),
        _violation(rows),
        {"vivado": tool[2]},
    )


def _section(text: str, title: str) -> str:
    """Lines under a boxed heading, up to the next one."""
    match = re.search(rf"^\| {title}\s*\n\| -+\n(.*?)(?=^-+\n\| |\Z)", text, re.M | re.S)
    return match[1] if match else ""


def _periods(text: str) -> dict[str, float]:
    pattern = r"^\s*(\S+)\s+\{[^}]*\}\s+([\d.]+)\s+[\d.]+\s*$"
    rows = re.findall(pattern, _section(text, "Clock Summary"), re.M)
    return {name: float(period) for name, period in rows}


def _intra_clock_rows(text: str) -> dict[str, dict[str, float]]:
    """By clock, a generated one is indented under its source: the cells that are not blank.

    A clock without paths between registers has blank setup and hold cells, so that only the
    position tells which column a number is in: its end is below that of the heading's underline.
    """
    lines = iter(_section(text, "Intra Clock Table").splitlines())
    heading = next((line for line in lines if _SETUP in line), "")
    underline = next(lines, "")
    columns = {
        run.end(): heading[run.start() : run.end()].strip() for run in re.finditer(r"-+", underline)
    }
    rows = {}
    if not columns:
        return rows
    for line in filter(str.strip, lines):
        name, *cells = re.finditer(r"\S+", line)
        rows[name[0]] = {
            columns[min(columns, key=lambda end: abs(end - cell.end()))]: float(cell[0])
            for cell in cells
            if re.fullmatch(r"-?\d+(\.\d+)?", cell[0])
        }
    return rows


def _violation(rows: dict[str, dict[str, float]]) -> str | None:
    for name, row in rows.items():
        for column, title in _VIOLATIONS.items():
            if row.get(column, 0) < 0:
                return f"{title} slack {row[column]:g} ns of {name}"
    return None


def _path(text: str, clock: str) -> CriticalPath | None:
    """The first, so the worst, setup path of ``clock``."""
    fields = {
        "start": r"^\s*Source:\s+(\S+)",
        "end": r"^\s*Destination:\s+(\S+)",
        "group": r"^\s*Path Group:\s+(\S+)",
        "type": r"^\s*Path Type:\s+(\w+)",
        "delay": r"^\s*Data Path Delay:\s+([\d.]+)ns",
    }
    for block in re.split(r"^Slack \((?=MET|VIOLATED)", text, flags=re.M)[1:]:
        found = {name: re.search(pattern, block, re.M) for name, pattern in fields.items()}
        if None in found.values():
            continue
        path = {name: match[1] for name, match in found.items()}
        if (path["group"], path["type"]) == (clock, "Setup"):
            return CriticalPath(path["start"], path["end"], float(path["delay"]))
    return None


def _used(path: Path) -> dict[str, float] | None:
    text = path.read_text(encoding="utf-8", errors="replace")
    titles = ("(?:Slice|CLB) LUTs", "(?:Slice|CLB) Registers", "Block RAM Tile", "DSPs")
    used = {}
    for unit, title in zip(UNITS, titles, strict=True):
        match = re.search(rf"^\| {title}\*?\s*\|\s*([\d.]+)\s*\|", text, re.MULTILINE)
        if match is None:
            return None
        used[unit] = float(match[1]) if "." in match[1] else int(match[1])
    return used
