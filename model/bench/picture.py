"""Pictures of a benchmark (SVG, by matplotlib): speed by platform, and by position."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np

from .measure import Measurement
from .rows import MEASURED, PROCESSOR_TIME

_STYLE = {"svg.hashsalt": "bench", "svg.fonttype": "none"}
"""Fixed names: equal results give equal files."""


def by_platform(name: str, results: Sequence[Measurement]) -> str:
    """Bars of tokens per second with quartiles, logarithmic; rows not measured hatched."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 1.2 + 0.4 * len(results)), layout="constrained")
    axes = figure.add_subplot(xlabel="tokens per second", title=f"{name}: mean over the positions")
    rates = np.array([result.tokens_per_second() for result in results])
    low, median, high = rates.T
    colors = [f"C{0 if result.function == results[0].function else 1}" for result in results]
    hatches = ["" if _measured(result) else "//" for result in results]
    bars = axes.barh(range(len(results)), median, color=colors, alpha=0.75, hatch=hatches)
    axes.errorbar(
        median, range(len(results)), xerr=[median - low, high - median], fmt="none", ecolor="black"
    )
    axes.bar_label(bars, [f" {value:,.0f}" for value in median], padding=12, fontsize=8)
    labels = [r.label if _measured(r) else f"{r.label}\n({r.how})" for r in results]
    axes.set_yticks(range(len(results)), labels, fontsize=8)
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.set_xlim(median.min() / 3, high.max() * 6)
    axes.grid(axis="x", alpha=0.25)
    return _svg(figure)


def by_position(name: str, results: Sequence[Measurement]) -> str:
    """Lines of the median tokens per second over the position, with quartiles as bands."""
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 6), layout="constrained")
    axes = figure.add_subplot(xlabel="position in the context", ylabel="tokens per second")
    axes.set_prop_cycle(color=colormaps["tab20"].colors)
    axes.set_title(name)
    for result in results:
        low, median, high = result.by_position()
        positions = result.position + np.arange(len(median))
        dashes = "-" if _measured(result) else "--"
        (line,) = axes.plot(positions, median, dashes, lw=1.2, label=result.label)
        axes.fill_between(positions, low, high, color=line.get_color(), alpha=0.2, lw=0)
    axes.set_yscale("log")
    axes.grid(alpha=0.25)
    figure.legend(loc="outside lower center", ncols=2, fontsize=8, frameon=False)
    return _svg(figure)


def _measured(result: Measurement) -> bool:
    return result.how in (MEASURED, PROCESSOR_TIME)


def _svg(figure) -> str:
    from matplotlib import rc_context

    text = io.StringIO()
    with rc_context(_STYLE):
        figure.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()
