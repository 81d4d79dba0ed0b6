"""Picture of a search: mean cycles over the share of the LUTs (SVG, by matplotlib)."""

from __future__ import annotations

from collections.abc import Sequence

from gateformer.model.support.errors import UserError
from gateformer.model.support.optional import install_command
from gateformer.model.support.picture import LEGEND, SMALL_FONT, new_figure, style, svg

from ..boards.board import Board
from .families import LUT_LIMIT, ROOM
from .search import Candidate, choose, pareto_front

LABELLED = 7
"""Points of the front that get their sizes written beside them, at most."""
ROOM_FOR_LABELS = 3
"""The horizontal axis begins at the smallest share by this."""


def matplotlib_missing() -> str | None:
    """What to say if it is not installed."""
    try:
        _require_matplotlib()
    except UserError as error:
        return str(error)
    return None


def _require_matplotlib():
    try:
        import matplotlib.figure  # noqa: F401
    except ModuleNotFoundError:
        raise UserError(
            f"the picture needs matplotlib: {install_command('fit')}, or add --no-picture"
        ) from None


def picture(name: str, candidates: Sequence[Candidate], board: Board) -> str:
    """SVG text; the same for the same search. Raises UserError without matplotlib."""
    _require_matplotlib()
    return svg(fit_figure(name, candidates, board))


@style()
def fit_figure(name: str, candidates: Sequence[Candidate], board: Board):
    """Both axes logarithmic: sizes of a small part of a large device would lie on each other."""
    figure = new_figure(5.6)
    axes = figure.subplots()
    front, chosen = pareto_front(candidates), choose(candidates)
    groups = (
        ("fits", "#4878a8", [c for c in candidates if c.fits]),
        ("too many LUTs", "#b8b8b8", [c for c in candidates if set(ROOM) & set(c.exceeded)]),
        (
            "too few other resources",
            "#e0b090",
            [c for c in candidates if c.exceeded and not set(ROOM) & set(c.exceeded)],
        ),
    )
    for label, color, group in groups:
        if group:
            axes.scatter(*_places(group, board), s=9, color=color, label=label, linewidths=0)
    if front:
        axes.step(*_places(front, board), where="post", color="black", linewidth=1, label="front")
    if chosen is not None:
        label = f"choice: {chosen.text}"
        look = {"s": 90, "marker": "*", "color": "#c03028", "zorder": 3}
        axes.scatter(*_places([chosen], board), **look, label=label)
    limit = LUT_LIMIT[board.family.name]
    axes.axvline(limit * 100, color="#c03028", linestyle="--", linewidth=1, label="limit")
    axes.axvline(100, color="black", linestyle=":", linewidth=1, label="budget")
    axes.set(xscale="log", yscale="log")
    shares = [100 * _share(candidate, board) for candidate in candidates]
    axes.set_xlim(min(shares, default=100) / ROOM_FOR_LABELS, max(*shares, 100) * 1.15)
    axes.set_xlabel(f"predicted LUTs, % of the {board.budget.lut:,} of {board.device}")
    axes.set_ylabel("mean cycles per token (exact)")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter(_decimal_minor)
    axes.set_title(f"{name} on {board.title}")
    figure.legend(ncols=4, **LEGEND)
    axes.grid(which="both")
    _label(axes, front, candidates, board)
    return figure


def _decimal_minor(value: float, _) -> str:
    """Of a logarithmic axis: 2, 5, 20, 50 …; the others would be too close."""
    return f"{value:g}" if f"{value:e}"[0] in "25" else ""


def _label(axes, front: Sequence[Candidate], candidates: Sequence[Candidate], board: Board):
    """Sizes at up to LABELLED points of the front, where they cover nothing.

    They are at the lower left of their points. What lies there would need fewer LUTs and cycles,
    so nothing does, but for the limits' lines and other labels; points that would need such a
    place, or one outside the axes, get no label.
    """
    figure = axes.figure
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # what is measured from here on stays
    inside = axes.get_window_extent()
    taken = [line.get_window_extent() for line in axes.get_lines()[-2:]]
    places = axes.transData.transform(list(zip(*_places(candidates, board), strict=True)))
    step = max(1, len(front) // LABELLED)
    preferred = [*front[::step], *front]
    labelled = 0
    for candidate in preferred:
        if labelled == LABELLED:
            break
        place = tuple(value[0] for value in _places([candidate], board))
        text = axes.annotate(
            candidate.text,
            place,
            xytext=(-4, -3),
            ha="right",
            va="top",
            textcoords="offset points",
            fontsize=SMALL_FONT,
        )
        box = text.get_window_extent().padded(2)
        free = not any(box.overlaps(other) for other in taken) and not box.count_contains(places)
        if free and inside.containsx(box.x0) and inside.containsy(box.y0):
            taken.append(box)
            labelled += 1
        else:
            text.remove()


def _share(candidate: Candidate, board: Board) -> float:
    return candidate.need.lut / board.budget.lut


def _places(candidates: Sequence[Candidate], board: Board) -> tuple[list, list]:
    return (
        [100 * _share(candidate, board) for candidate in candidates],
        [candidate.cycles for candidate in candidates],
    )
