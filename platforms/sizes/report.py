"""What ``gateformer fit`` prints and writes of a search."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.model.contract.artifact import Artifact

from ..boards.board import Board
from ..families.family import UNITS
from ..families.toolchain_limits import LIMITED, device_total, toolchain_limits
from .calibrate import KINDS, lut_error, predict
from .candidates import sizes_text
from .families import FAMILIES, LUT_LIMIT, SITE_LIMIT, short_name, units
from .resource_model import predicted_as, resource_model
from .search import (
    Candidate,
    choose,
    no_fit_advice,
    pareto_front,
    reason,
    shortage,
)
from .streamed.search import can_be_streamed

MARK = "▶"


def tokens_per_second(candidate: Candidate, board: Board) -> float:
    """At the board's default clock, which the sizes do not change."""
    return board.default_clock_mhz * 1e6 / candidate.cycles


def speed_texts(candidate: Candidate, board: Board) -> tuple[str, str]:
    """Cycles and tokens per second, and whether they are bounds."""
    above, below = ("≥ ", "≤ ") if candidate.least else ("", "")
    cycles, tokens = f"{candidate.cycles:,.1f}", f"{tokens_per_second(candidate, board):,.0f}"
    return f"{above}{cycles}", f"{below}{tokens}"


def clock_assumed(candidates: Sequence[Candidate], board: Board) -> bool:
    """Whether nothing here has routed the board's clock: not with an imported model's core.

    Only of an imported model there may be no candidates.
    """
    return board.clock_assumed or all(c.imported for c in candidates)


def clock_text(candidates: Sequence[Candidate], board: Board) -> str:
    """The board's default clock for people: "125 MHz (assumed)"."""
    remark = ""
    if clock_assumed(candidates, board):
        remark = " (assumed)"
    elif any(candidate.hw.cores > 1 for candidate in candidates):
        remark = " (routed with one core, assumed with more)"
    return f"{board.default_clock_mhz:g} MHz{remark}"


def candidates_table(
    shown: Sequence[Candidate],
    chosen: Candidate | None,
    board: Board,
    *,
    cycles: str,
    title: str,
    caption: str,
) -> Table:
    """A line for each candidate, the choice marked; ``cycles`` heads their column."""
    table = Table(title=title, caption=caption)
    table.add_column("")
    table.add_column("sizes")
    for heading in (cycles, "tokens/s", *map(short_name, units(board.family))):
        table.add_column(heading, justify="right")
    for candidate in shown:
        cells = [share_text(candidate, unit, board) for unit in units(board.family)]
        style = "bold" if candidate is chosen else None if candidate.fits else "dim"
        table.add_row(
            MARK if candidate is chosen else "",
            candidate.text,
            *speed_texts(candidate, board),
            *cells,
            style=style,
        )
    return table


def front_table(name: str, candidates: Sequence[Candidate], board: Board) -> Table:
    """The Pareto front with the choice marked."""
    return candidates_table(
        pareto_front(candidates),
        choose(candidates),
        board,
        cycles="mean cycles",
        title=f"{name} on {board.title}: Pareto front of {len(candidates)} sizes",
        caption=f"tokens/s at {clock_text(candidates, board)}",
    )


def share_text(candidate: Candidate, unit: str, board: Board) -> str:
    """Number and share of the budget."""
    need, have = getattr(candidate.need, unit), device_total(board.budget, unit)
    number = f"{need:,.1f}".removesuffix(".0") if unit in ("bram", "dsp") else f"{need:,.0f}"
    return f"{number} ({need / have:.0%})"


def print_search(name: str, candidates: Sequence[Candidate], board: Board, out: Console) -> None:
    """Table and choice; without a choice the reason alone."""
    if choose(candidates) is None:
        out.print(explanation(candidates, board), soft_wrap=True)
        return
    out.print(front_table(name, candidates, board))
    family = board.family
    taken = f"{LUT_LIMIT[family.name]:.0%} of the LUTs"
    if family.name in SITE_LIMIT:
        taken += f" and {SITE_LIMIT[family.name]:.0%} of the {family.unit('sites')}"
    source, other = "predicted", predicted_as(family)
    if other is not None:
        source += f" as for {FAMILIES[other].title}: {family.title} was not calibrated"
    out.print(f"{source}; at most {taken} are taken, sizes that need more are dim", soft_wrap=True)
    if board.limits:
        out.print(_toolchain_line(board), soft_wrap=True)
    out.print(f"choice: {explanation(candidates, board)}", soft_wrap=True)


def _toolchain_line(board: Board) -> str:
    usable = toolchain_limits(board.budget, board.limits)
    parts = [f"{usable[LIMITED[name]]:,.0f} {name}" for name in board.limits]
    return f"{board.toolchains[0]} is given at most {', '.join(parts)}"


def explanation(candidates: Sequence[Candidate], board: Board) -> str:
    """The choice and why, or that there is none."""
    chosen = choose(candidates)
    if not candidates:
        return "no sizes fit: weights, keys and values are more than the block memories hold"
    if chosen is None:
        return (
            f"none of {len(candidates)} sizes fits: {shortage(candidates, board)}; "
            f"{no_fit_advice(candidates)}"
        )
    return reason(candidates, chosen, board)


def no_board_fits(name: str, found: Sequence[tuple[Board, Sequence[Candidate]]]) -> str | None:
    """One line if there is no choice for any board, otherwise None."""
    if any(choose(candidates) is not None for _, candidates in found):
        return None
    tried = [candidate for _, candidates in found for candidate in candidates]
    return f"none of the {len(found)} boards fits {name}: {no_fit_advice(tried)}"


def from_memory(
    artifact: Artifact, found: Sequence[tuple[Board, Sequence[Candidate]]]
) -> str | None:
    """One line if the model does not fit boards that can read it from external memory."""
    labels = [
        board.label
        for board, candidates in found
        if can_be_streamed(artifact.model, board) and choose(candidates) is None
    ]
    if not labels:
        return None
    return (
        f"block memories do not hold {artifact.name}; a core that reads external memory is there "
        f"for {', '.join(labels)}: gateformer fit … --board NAME predicts it"
    )


def choices_table(name: str, found: Sequence[tuple[Board, Sequence[Candidate]]]) -> Table:
    """One line per board."""
    assumed = [board.label for board, candidates in found if clock_assumed(candidates, board)]
    table = Table(
        title=f"{name}: the fastest sizes that are predicted to fit",
        caption=f"tokens/s at the boards' clocks, assumed for {', '.join(assumed)}"
        if assumed
        else None,
    )
    table.add_column("board", no_wrap=True)
    table.add_column("sizes")
    shown = (UNITS[0], "sites", *UNITS[1:])
    for heading in ("tokens/s", *map(short_name, shown)):
        table.add_column(heading, justify="right")
    for board, candidates in found:
        chosen = choose(candidates)
        if chosen is None:
            table.add_row(board.label, f"none fits ({scarce(candidates)})")
            continue
        table.add_row(
            board.label,
            chosen.text,
            f"{tokens_per_second(chosen, board):,.0f}",
            *(
                share_text(chosen, unit, board) if unit in units(board.family) else "–"
                for unit in shown
            ),
        )
    return table


def scarce(candidates: Sequence[Candidate]) -> str:
    """What the sizes that come closest have too little of; without sizes block memories."""
    if not candidates:
        return short_name("bram")
    closest = min(candidates, key=lambda c: (len(c.exceeded), c.need.lut))
    return ", ".join(map(short_name, closest.exceeded))


def document(name: str, candidates: Sequence[Candidate], board: Board) -> dict:
    """Everything about a search, JSON-ready."""
    chosen, front = choose(candidates), pareto_front(candidates)
    return {
        "model": name,
        "board": board.label,
        "device": board.device,
        "clock_mhz": board.default_clock_mhz,
        "budget": dataclasses.asdict(board.budget),
        "predicted_as": predicted_as(board.family),
        "clock_assumed": clock_assumed(candidates, board),
        "lut_limit": LUT_LIMIT[board.family.name],
        "site_limit": SITE_LIMIT.get(board.family.name),
        "why": explanation(candidates, board),
        "candidates": [
            {
                **dataclasses.asdict(candidate.hw),
                "mean_cycles": candidate.cycles,
                "at_least": candidate.least,
                "tokens_per_second": round(tokens_per_second(candidate, board), 1),
                "predicted": dataclasses.asdict(candidate.need),
                "fits": candidate.fits,
                "pareto": candidate in front,
                "chosen": candidate is chosen,
            }
            for candidate in candidates
        ],
    }


def print_calibration(
    data: dict, families: Sequence[str], kinds: Sequence[str], out: Console
) -> None:
    """Every point with its predicted counts; those marked were not used to fit."""
    for name in families:
        table = Table(title=f"{name}: synthesized and predicted, {MARK} only checked")
        sites = [("LUT sites", "error")] if FAMILIES[name].sites else []
        headings = ("", "what", "model", "sizes", "LUT", "error", "FF", "error")
        for heading in (*headings, *(text for pair in sites for text in pair)):
            table.add_column(heading)
        for heading in ("BRAM", "DSP"):
            table.add_column(heading)
        model = resource_model(FAMILIES[name])
        sections = [data[KINDS[kind].section][name] for kind in kinds]
        points = (
            (kind == "imported", point)
            for kind, section in zip(kinds, sections, strict=True)
            for point in section["points"]
        )
        for imported, point in points:
            prediction = predict(model, point)
            table.add_row(
                MARK if point["checks"] else "",
                point["what"],
                point["model"].removeprefix("random:"),
                sizes_text(HwConfig(*point["sizes"]), imported),
                f"{point['lut']:,}",
                f"{lut_error(point, prediction):+.1%}",
                f"{point['ff']:,}",
                f"{prediction.ff / max(point['ff'], 1) - 1:+.1%}",
                *(
                    cell
                    for _ in sites
                    for cell in (
                        f"{point['sites']:,}",
                        f"{lut_error(point, prediction, 'sites'):+.1%}",
                    )
                ),
                exact_text(prediction.bram, point["bram"]),
                exact_text(prediction.dsp, point["dsp"]),
            )
        out.print(table)


def exact_text(predicted: float, counted: float) -> str:
    """The count, with the prediction if that is another."""
    return f"{counted:g}" if predicted == counted else f"{counted:g} (predicted {predicted:g})"
