"""Reader of nextpnr's log and report.

Formats: nextpnr's ``common/kernel/report.cc`` and ``timing_log.cc``; for the older nextpnr-xilinx
``common/timing.cc`` and ``common/design_utils.cc``.
"""

from __future__ import annotations

import re
from pathlib import Path

from gateformer.model.support.errors import UserError
from gateformer.model.support.file_facts import Facts, parse_json

from ..families.family import Family
from .placed import CriticalPath, NotAReport, Placed

NEXTPNR_LOG, NEXTPNR_REPORT = "top.tim", "top.report.json"


def read_nextpnr(log_path: Path, report_path: Path | None, family: Family, tool: str) -> Placed:
    """From the log and the JSON report, which nextpnr-xilinx does not write.

    A hold time counts as violated by the slack that is printed of it, even if nextpnr says it is
    for another reason.

    ``tool``: "nextpnr-ecp5 0.11.1", or without a version. Units of the family that nextpnr counts
    in other units are left out of :attr:`platforms.place_and_route.placed.Placed.used`.

    Raises NotAReport if the log tells no frequency or of an error (frequencies are told after
    placement, too), or if the report is no report or another run's.
    """
    log = log_path.read_text(encoding="utf-8", errors="replace")
    if re.search(r"^ERROR: (?!Max frequency)", log, re.MULTILINE):
        raise NotAReport(f"{log_path} is of a run that failed")
    clocks, path = _clocks_of_log(log), None
    if report_path is not None:
        try:
            report = parse_json(report_path.read_bytes())
            clocks_told = Facts(report_path, report["fmax"])
            reported = {
                name: clocks_told.table(name).number("achieved", positive=True)
                for name in clocks_told
            }
            path = _path_of_report(report, min(reported, key=reported.get, default=None))
        except (ValueError, KeyError, TypeError, AttributeError, IndexError, UserError) as error:
            raise NotAReport(f"{report_path} is not a report of nextpnr") from error
        # the log rounds to a hundredth
        if any(abs(reported[name] - clocks[name]) > 0.02 for name in clocks.keys() & reported):
            raise NotAReport(f"{report_path} is of another run than {log_path}")
        clocks = reported
    if not clocks:
        raise NotAReport(f"{log_path} tells no frequency of a clock")
    name, _, version = tool.partition(" ")
    return Placed(
        tool,
        min(clocks.values()),
        path,
        _used(log, family),
        _hold_violation(log),
        versions={name: version or None},
    )


def _clocks_of_log(log: str) -> dict[str, float]:
    """The last frequency told of every clock is the one after routing."""
    pattern = r"Max frequency for clock\s+'([^']*)':\s*([\d.]+) MHz"
    return {name: float(mhz) for name, mhz in re.findall(pattern, log)}


def _hold_violation(log: str) -> str | None:
    """The worst slack, the first one listed, if it is not above 0."""
    pattern = r"Hold/min time violation for (.*):\n(?:Info: .*\n)*?Info: +hold +\S+ +(\S+) Source"
    slacks = [(float(slack), where) for where, slack in re.findall(pattern, log)]
    slack, where = min(slacks, default=(1, None))
    return None if slack > 0 else f"hold slack {slack:g} ns, {where}"


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


def _used(log: str, family: Family) -> dict[str, float] | None:
    pattern = r"^Info:\s+(\w+):\s+(\d+)/\s*\d+\s+\d+%$"
    sites = {name: int(used) for name, used in re.findall(pattern, log, re.MULTILINE)}
    if not sites:
        return None
    counts = family.count_placed(sites)
    return {unit: count for unit, count in counts.items() if family.placed[unit]}
