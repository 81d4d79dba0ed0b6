"""The losses of a training run and their curve as an SVG."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from statistics import fmean

from ..support.whole_file import complete_file

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
    import matplotlib
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.add_subplot(xlabel="step", ylabel="loss in nats per character")
    start = 0
    for color, (name, history) in enumerate(histories.items()):
        steps = range(start + 1, start + len(history.train) + 1)
        axes.plot(steps, history.train, f"C{color}", alpha=0.35, lw=0.5, label=f"{name}, training")
        at = [start + step for step, _ in history.validation]
        losses = [loss for _, loss in history.validation]
        axes.plot(at, losses, f"C{color}o-", ms=2, label=f"{name}, validation")
        start += len(history.train)
    axes.legend()
    axes.grid(alpha=0.3)
    with complete_file(path) as temporary, matplotlib.rc_context({"svg.hashsalt": "gateformer"}):
        figure.savefig(temporary, format="svg", metadata={"Date": None})
