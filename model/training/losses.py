"""The losses of a training run and their curve as an SVG."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from statistics import fmean

from ..support.picture import LEGEND, distinct_colors, new_figure, style, svg
from ..support.whole_file import write_whole

CURVE = ".svg"
"""Suffix of the picture beside an artifact."""
RECENT_STEPS = 50


@dataclasses.dataclass
class History:
    """Losses in nats: of every training step, and (step, loss) on the validation subset.

    ``seconds`` is the time that the steps took.
    """

    train: list[float] = dataclasses.field(default_factory=list)
    validation: list[tuple[int, float]] = dataclasses.field(default_factory=list)
    seconds: float = 0.0

    @property
    def recent(self) -> float:
        """Mean training loss of the last steps; nan before the first."""
        return fmean(self.train[-RECENT_STEPS:]) if self.train else float("nan")


def draw_losses(path: Path, histories: dict[str, History]):
    """Write the losses of the phases, one after the other on one axis, to ``path``.

    The same histories give the same bytes; the file appears when it is complete.
    """
    write_whole(path, svg(losses_figure(histories)))


@style()
def losses_figure(histories: dict[str, History]):
    """One colour per phase; training thin and pale, validation on top."""
    from matplotlib.lines import Line2D

    figure = new_figure(5)
    axes = figure.add_subplot(xlabel="step", ylabel="loss in nats per character")
    start, handles = 0, []
    colors = distinct_colors(len(histories))
    for color, (name, history) in zip(colors, histories.items(), strict=True):
        steps = range(start + 1, start + len(history.train) + 1)
        axes.plot(steps, history.train, color=color, alpha=0.35, lw=0.5)
        at = [start + step for step, _ in history.validation]
        losses = [loss for _, loss in history.validation]
        axes.plot(at, losses, "o-", color=color, ms=2)
        # a line as thin as the curve could not be seen here
        handles += [
            Line2D([], [], color=color, alpha=0.35, lw=3, label=f"{name}, training"),
            Line2D([], [], color=color, marker="o", ms=3, label=f"{name}, validation"),
        ]
        start += len(history.train)
    axes.grid()
    figure.legend(handles=handles, ncols=max(1, len(histories)), **LEGEND)
    return figure
