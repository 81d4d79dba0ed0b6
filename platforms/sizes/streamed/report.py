"""Tables of a search of streamed cores."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from ...boards.board import Board
from ...families.family import SITE_UNITS
from ...families.toolchain_limits import device_total
from ..families import limits, short_name
from ..report import MARK
from .search import StreamedChoice, best


def by_size(found: Sequence[StreamedChoice]) -> list[StreamedChoice]:
    """The most ports first, then the fewest streams."""
    return sorted(found, key=lambda choice: (-choice.shape.ports, choice.streams))


def choices_table(name: str, found: Sequence[StreamedChoice], board: Board) -> Table:
    """A line per choice; those that do not fit are dim."""
    table = Table(
        title=f"{name} from the memory of {board.label}: {board.memory.title}",
        caption=f"tokens/s of all streams at {board.clock_text}; bound: the memory's bandwidth, "
        "what its ports take per cycle, or what lanes compute; predicted, sizes that need more "
        "than a choice may take are dim",
    )
    names = _names(board)
    for heading in ("", "ports", "lanes", "streams", "cycles of a pass", "tokens/s", "bound"):
        table.add_column(heading, justify="left" if heading in ("", "bound") else "right")
    for resource in names:
        table.add_column(short_name(resource), justify="right")
    chosen = best(found)
    for choice in by_size(found):
        style = "bold" if choice is chosen else None if choice.fits else "dim"
        table.add_row(
            MARK if choice is chosen else "",
            f"{choice.shape.ports} × {choice.shape.data_bytes} bytes",
            str(choice.lanes),
            str(choice.streams),
            f"{choice.cycles:,.0f}",
            f"{choice.tokens_per_second:,.1f}",
            choice.bound,
            *(_share(choice, resource, board) for resource in names),
            style=style,
        )
    return table


def _names(board: Board) -> list[str]:
    sites = SITE_UNITS[0]
    return [sites if board.family.sites else "lut", "bram", "dsp"]


def _share(choice: StreamedChoice, resource: str, board: Board) -> str:
    need, there = getattr(choice.need, resource), device_total(board.budget, resource)
    number = f"{need:,.1f}".removesuffix(".0") if resource == "bram" else f"{need:,.0f}"
    return f"{number} ({need / there:.0%})"


def print_choices(name: str, found: Sequence[StreamedChoice], board: Board, out: Console) -> None:
    """Table and choice, or why there is none."""
    out.print(choices_table(name, found, board))
    out.print(explanation(found, board), soft_wrap=True)


def explanation(found: Sequence[StreamedChoice], board: Board) -> str:
    """The choice, and how to build it; or what the smallest core has too little of."""
    chosen = best(found)
    if chosen is None:
        least = min(found, key=lambda c: (len(c.exceeded), c.need.lut))
        scarce = ", ".join(
            "room in the memory" if name == "memory" else short_name(name)
            for name in least.exceeded
        )
        return (
            f"none of {len(found)} choices fits {board.label}: the smallest needs more {scarce}; "
            "import the model with a smaller --context or choose a larger board"
        )
    options = f"--streams {chosen.streams}"
    if chosen.shape.ports != board.memory.shape.ports:
        options += f" --ports {chosen.shape.ports}"
    speed = f"{chosen.tokens_per_second:,.1f} tokens per second"
    if chosen.streams > 1:
        each = chosen.tokens_per_second / chosen.streams
        speed += f" of {chosen.streams} texts together, {each:,.1f} of each"
    return f"choice: {speed}: {options}"


def document(name: str, found: Sequence[StreamedChoice], board: Board) -> dict:
    """Everything about a search, JSON-ready."""
    chosen = best(found)
    return {
        "model": name,
        "board": board.label,
        "device": board.device,
        "clock_mhz": board.default_clock_mhz,
        "memory": board.memory.title,
        "budget": dataclasses.asdict(board.budget),
        "limits": limits(board.family, board.budget, board.limits),
        "why": explanation(found, board),
        "choices": [
            {
                "ports": choice.shape.ports,
                "data_bytes": choice.shape.data_bytes,
                "lanes": choice.lanes,
                "streams": choice.streams,
                "cycles": choice.cycles,
                "tokens_per_second": round(choice.tokens_per_second, 1),
                "bound": choice.bound,
                "predicted": dataclasses.asdict(choice.need),
                "exceeded": list(choice.exceeded),
                "chosen": choice is chosen,
            }
            for choice in found
        ],
    }
