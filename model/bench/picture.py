"""Pictures of a benchmark (SVG, by matplotlib): speed by platform, and by position."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..support.picture import (
    LEGEND,
    SMALL_FONT,
    distinct_colors,
    line_styles,
    new_figure,
    style,
    svg,
)
from .measure import Measurement
from .rows import MEASURED, PROCESSOR_TIME


def by_platform(name: str, results: Sequence[Measurement]) -> str:
    """Tokens per second with quartiles, logarithmic, as SVG; hollow where not measured."""
    return svg(platform_figure(name, results))


def by_position(name: str, results: Sequence[Measurement]) -> str:
    """Median tokens per second over the position, quartiles as bands, as SVG."""
    return svg(position_figure(name, results))


@style()
def platform_figure(name: str, results: Sequence[Measurement]):
    """Points, not bars: a logarithmic axis has no zero for a bar to begin at."""
    from matplotlib.lines import Line2D

    figure = new_figure(1.4 + 0.32 * len(results))
    axes = figure.add_subplot(xlabel="tokens per second", xscale="log")
    axes.set_title(f"{name}: mean over the positions")
    functions = list(dict.fromkeys(result.function for result in results))
    colors = dict(zip(functions, distinct_colors(len(functions)), strict=True))
    for place, result in enumerate(results):
        low, median, high = result.tokens_per_second()
        axes.errorbar(
            median,
            place,
            xerr=None if low == high else [[median - low], [high - median]],
            fmt="o",
            color=colors[result.function],
            fillstyle="full" if _measured(result) else "none",
            capsize=3,
        )
    places = range(len(results))
    axes.set_yticks(places, [_label(result) for result in results], fontsize=SMALL_FONT)
    axes.set_ylim(len(results) - 0.5, -0.5)
    rates = [f"{result.tokens_per_second()[1]:,.0f}" for result in results]
    values = axes.secondary_yaxis("right")
    values.set_yticks(places, rates, fontsize=SMALL_FONT)
    values.tick_params(length=0)
    axes.margins(x=0.05)
    axes.grid()
    handles = [
        Line2D([], [], color=color, marker="o", lw=0, label=function)
        for function, color in colors.items()
    ]
    if not all(map(_measured, results)):
        hollow = {"color": "black", "marker": "o", "lw": 0, "fillstyle": "none"}
        handles.append(Line2D([], [], **hollow, label="not measured"))
    figure.legend(handles=handles, ncols=len(handles), **LEGEND)
    return figure


@style()
def position_figure(name: str, results: Sequence[Measurement]):
    """The legend has the lines from the top to the bottom of the picture's right edge."""
    figure = new_figure(5 + 0.09 * len(results))
    axes = figure.add_subplot(xlabel="position in the context", ylabel="tokens per second")
    axes.set_title(name)
    lines = list(zip(results, line_styles(), strict=False))
    for result, look in sorted(lines, key=lambda line: -line[0].by_position()[1, -1]):
        low, median, high = result.by_position()
        positions = result.position + np.arange(len(median))
        axes.plot(positions, median, lw=1.3, label=_label(result), **look)
        axes.fill_between(positions, low, high, color=look["color"], alpha=0.2, lw=0)
    axes.set_yscale("log")
    axes.grid()
    figure.legend(ncols=2, **LEGEND)
    return figure


def _measured(result: Measurement) -> bool:
    return result.how in (MEASURED, PROCESSOR_TIME)


def _label(result: Measurement) -> str:
    return result.label if _measured(result) else f"{result.label}\n({result.how})"
