"""Picture of a search: mean cycles over the share of the LUTs (SVG, by matplotlib)."""

from __future__ import annotations

import io
from collections.abc import Sequence

from gateformer.model.support.errors import UserError

from ..boards.board import Board
from .families import LUT_LIMIT
from .search import Candidate, choose, pareto_front, sizes_text

LABELLED = 7
"""Points of the front that get their sizes written beside them, at most."""


def matplotlib_missing() -> str | None:
    """What to say if it is not installed."""
    try:
        _figure_class()
    except UserError as error:
        return str(error)
    return None


def _figure_class():
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        raise UserError(
            "the picture needs matplotlib: pip install 'gateformer[fit]', or add --no-picture"
        ) from None
    return Figure


def picture(name: str, candidates: Sequence[Candidate], board: Board) -> str:
    """SVG text; the same for the same search. Raises UserError without matplotlib."""
    figure = _figure_class()(figsize=(9, 5.5), layout="constrained")
    axes = figure.subplots()
    front, chosen = pareto_front(candidates), choose(candidates)
    groups = (
        ("fits", "#4878a8", [c for c in candidates if c.fits]),
        ("too many LUTs", "#c8c8c8", [c for c in candidates if "lut" in c.exceeded]),
        (
            "too few other resources",
            "#e0b090",
            [c for c in candidates if c.exceeded and "lut" not in c.exceeded],
        ),
    )
    for label, color, group in groups:
        if group:
            axes.scatter(*_places(group, board), s=9, color=color, label=label, linewidths=0)
    axes.step(*_places(front, board), where="post", color="black", linewidth=1, label="front")
    for candidate in _labelled(front, chosen):
        place = tuple(value[0] for value in _places([candidate], board))
        left = _share(candidate, board) > 0.8
        axes.annotate(
            sizes_text(candidate.hw),
            place,
            xytext=(-4 if left else 4, 4),
            ha="right" if left else "left",
            textcoords="offset points",
            fontsize=7,
        )
    if chosen is not None:
        axes.scatter(
            *_places([chosen], board), s=90, marker="*", color="#c03028", zorder=3, label="choice"
        )
    limit = LUT_LIMIT[board.family.name]
    axes.axvline(limit * 100, color="#c03028", linestyle="--", linewidth=1, label="limit")
    axes.axvline(100, color="black", linestyle=":", linewidth=1, label="budget")
    axes.set_xlim(0, max(120, 115 * _share(chosen, board) if chosen else 0))
    axes.set_yscale("log")
    axes.set_xlabel(f"predicted LUTs, % of the {board.budget.lut:,} of {board.device}")
    axes.set_ylabel("mean cycles per token (exact)")
    axes.set_title(f"{name} on {board.title}")
    axes.legend(loc="upper right", fontsize=8, frameon=False)
    axes.grid(alpha=0.25, which="both")
    return _svg(figure)


def _share(candidate: Candidate, board: Board) -> float:
    return candidate.need.lut / board.budget.lut


def _places(candidates: Sequence[Candidate], board: Board) -> tuple[list, list]:
    return (
        [100 * _share(candidate, board) for candidate in candidates],
        [candidate.cycles for candidate in candidates],
    )


def _labelled(front: Sequence[Candidate], chosen: Candidate | None) -> list[Candidate]:
    step = -(-len(front) // LABELLED) if front else 1
    some = [c for i, c in enumerate(front) if i % step == 0]
    return some if chosen is None or chosen in some else [*some, chosen]


def _svg(figure) -> str:
    from matplotlib import rc_context

    text = io.StringIO()
    # fixed names and no date: equal searches give equal files
    with rc_context({"svg.hashsalt": "fit", "svg.fonttype": "none"}):
        figure.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()
