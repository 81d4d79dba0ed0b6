"""Measured figures of every board that was built: ``gateformer board-table``.

Prints the README's table from the ``report.json`` files in ``build/``; ``--build`` makes them.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from gateformer.model.support.cli import COMMAND_MODULE, ArgumentParser, run
from gateformer.model.support.counted import counted
from gateformer.model.support.errors import UserError
from gateformer.model.support.file_facts import Facts

from ..families.family import SITES_TITLE
from ..sizes.named_board import named_board, split
from .report import REPORT, SCHEMA_VERSION, resource

_RESOURCES = {
    "lut": "LUT",
    "sites": SITES_TITLE,
    "bram": "block memories",
    "dsp": "multipliers",
}
HEADINGS = (
    "board",
    "device",
    "sizes",
    "cycles per token, mean",
    "clock",
    "tokens/s",
    *_RESOURCES.values(),
    "how measured",
)


def row(report: dict) -> tuple[str, ...]:
    """Cells of a board's row, as Markdown, in the order of :data:`HEADINGS`."""
    hw, timing, speed = report["hardware"], report["timing"], report["tokens_per_second"]
    clock = f"{speed['clock_mhz']:g} MHz"
    how = f"synthesized ({report['resources']['synthesized']['source']})"
    if timing["fmax_mhz"] is None:
        clock += " (assumed)"
    else:
        clock += f" (routed: {timing['fmax_mhz']:.1f})"
        how = timing["source"]

    def share(name: str, heading: str) -> str:
        use, source = resource(report, name)
        if use is None:
            return "–"
        # the heading says it already: "block memories (36 Kb)"
        unit = f"{use['unit']} ".removeprefix(f"{heading} ")
        cell = f"{use['used']:,g} of {use['available']:,} {unit}".strip()
        placed = report["resources"]["placed"]
        return cell if placed is None or source == placed["source"] else f"{cell}, synthesized"

    return (
        report["board"]["title"],
        report["board"]["device"],
        f"{hw['rows']} × {hw['cols']} {hw['packing']}, {counted(hw['lanes_built'], 'lane')}",
        f"{report['cycles']['mean']:,.1f}",
        clock,
        f"{speed['value']:,.0f}",
        *(share(name, heading) for name, heading in _RESOURCES.items()),
        how,
    )


def read_reports(directory: Path) -> list[dict]:
    """The reports of boards in the build directories under ``directory``, by path.

    Raises UserError if there is none, or one is damaged; one of another schema or of the
    simulation is left out, and so are builds with another model or with sizes that were asked
    for, in directories of their own.
    """
    found = []
    for path in sorted(directory.glob(f"*/{REPORT}")):
        facts = Facts.parse(path, path.read_bytes())
        if facts.integer("schema_version", 0) != SCHEMA_VERSION:
            continue
        target = facts.table("board")
        label, variant = target.text("name"), target.text("variant", default=None)
        counted = facts.table("resources").table("synthesized", default=None)
        if counted is not None and path.parent.name in _labels(label, variant):
            _check(facts)
            found.append(facts.content)
    if not found:
        raise UserError(
            f"no board's report.json under {directory}; build one, or name some with --build"
        )
    return found


def _check(facts: Facts) -> None:
    """UserError unless everything that :func:`row` shows is there and of its kind."""
    target, hw = facts.table("board"), facts.table("hardware")
    for table, name in ((target, "title"), (target, "device"), (hw, "packing")):
        table.text(name)
    for name in ("rows", "cols", "lanes_built"):
        hw.integer(name, 1)
    facts.table("cycles").number("mean", positive=True)
    speed, timing = facts.table("tokens_per_second"), facts.table("timing")
    for name in ("value", "clock_mhz"):
        speed.number(name, positive=True)
    timing.number("fmax_mhz", positive=True, default=None)
    timing.text("source")
    resources = facts.table("resources")
    for kind in ("synthesized", "placed"):
        counted = resources.table(kind, default=None)
        if counted is None:
            continue
        counted.text("source")
        for name in _RESOURCES:
            optional = {"default": None} if kind == "placed" or name == "sites" else {}
            use = counted.table(name, **optional)
            if use is not None:
                use.number("used")
                use.number("available", positive=True)
                use.text("unit")


def _labels(name: str, variant: str | None) -> tuple[str, ...]:
    """Names of the build directory of the default model on a board, or on a variant of it."""
    return (name,) if variant is None else (name, f"{name}-{variant.lower()}")


def markdown(reports: list[dict]) -> str:
    """The table of these reports."""
    lines = [HEADINGS, ["---"] * len(HEADINGS), *map(row, reports)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def build_boards(names: list[str]) -> None:
    """``gateformer build`` for each ``name`` or ``name:variant``; one that fails ends it.

    Raises UserError before the first one if there is no such board, or it is the simulation.
    """
    for name in names:
        named_board(name, synthesized=True)
    for name in names:
        base, variant = split(name)
        command = ["build", base, *(["--variant", variant] if variant else [])]
        status = subprocess.run([sys.executable, "-m", COMMAND_MODULE, *command]).returncode
        if status:
            raise UserError(f"gateformer {' '.join(command)} failed with status {status}")


def main() -> None:
    parser = ArgumentParser(prog="gateformer board-table", description=__doc__.split("\n\n")[0])
    parser.add_argument(
        "--build",
        nargs="+",
        metavar="BOARD",
        default=[],
        help="build these first; a variant follows a colon: ulx3s:25F",
    )
    build_boards(parser.parse_args().build)
    print(markdown(read_reports(Path("build"))))


if __name__ == "__main__":
    run(main)
