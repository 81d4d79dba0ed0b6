"""Plots of compressed models: one row for each result, so that no name is over another.

Rows are in the order of the results; the same results give the same picture.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence

import numpy as np

from gateformer.gateware.compiler.program import Program
from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.model.compression.result import GATES, Result
from gateformer.model.contract.config import ModelConfig
from gateformer.model.contract.random_model import build_random
from gateformer.model.support.picture import COLORS, FONT, LEGEND, SMALL_FONT, new_figure, style


@functools.cache
def _mean_cycles(config_text: str) -> float:
    config = ModelConfig.from_dict(json.loads(config_text))
    cycles = Program(build_random(config), HwConfig()).cycles_by_position()
    return sum(cycles) / len(cycles)


def mean_cycles(result: Result) -> float | None:
    """Mean cycles per greedy token of the result's shape; None if the gateware has no such one.

    They depend on the shape alone, so a random model's program has the same.
    """
    if result.config is None:
        return None
    return _mean_cycles(json.dumps(result.config, sort_keys=True))


@style()
def perplexity_figure(results: Sequence[Result]):
    """Size and perplexity side by side, with the gate that a result is held against."""
    from matplotlib.lines import Line2D

    figure = _figure(results)
    size, change = figure.subplots(1, 2, sharey=True, width_ratios=(1, 2))
    for place, result in enumerate(results):
        look = _LOOKS[result.passed]
        size.plot(result.n_bytes / result.float_bytes, place, **look)
        change.plot(_per_cent(result.losses[0].perplexity_ratio), place, **look)
        if result.gate is not None:
            change.plot(_per_cent(GATES[result.gate][0]), place, **_GATE)
    size.set_xlim(left=0)
    size.set_xlabel("bytes relative to float")
    change.set_xlabel("perplexity relative to float, % more")
    _name_rows(size, results)
    for axes in (size, change):
        axes.grid()
    verdicts = {result.passed for result in results}
    looks = [look for passed, look in _LOOKS.items() if passed in verdicts]
    if verdicts - {None}:
        looks.append(_GATE)
    handles = [Line2D([], [], **look) for look in looks]
    figure.legend(handles=handles, ncols=len(handles), **LEGEND)
    return figure


_LOOKS = {
    True: {"label": "passes its gate", "marker": "o", "color": COLORS[0], "lw": 0},
    False: {"label": "does not", "marker": "X", "color": COLORS[1], "lw": 0, "ms": 8},
    None: {"label": "no gate", "marker": "o", "color": "black", "lw": 0, "fillstyle": "none"},
}
_GATE = {"label": "gate", "marker": "|", "color": "black", "lw": 0, "ms": 12, "mew": 1.5}


def _per_cent(ratio: float) -> float:
    return 100 * (ratio - 1)


@style()
def agreement_figure(results: Sequence[Result]):
    """Colours instead of lines: many noisy lines could not be told apart."""
    figure = _figure(results)
    axes = figure.add_subplot(xlabel="generated character")
    by_position = [result.agreement["by_position"] for result in results]
    shares = np.full((len(results), max(map(len, by_position))), np.nan)
    for row, values in zip(shares, by_position, strict=True):
        row[: len(values)] = values
    columns = np.arange(shares.shape[1] + 1) + 0.5
    rows = np.arange(len(results) + 1) - 0.5
    # not an image, whose cells viewers of SVG blur
    cells = axes.pcolormesh(columns, rows, shares, vmin=0, vmax=1, cmap="cividis", edgecolor="face")
    figure.colorbar(cells, format="{x:.0%}")
    axes.set_title("prompts with the same character", fontsize=FONT)
    _name_rows(axes, results)
    return figure


@style()
def cycles_figure(results: Sequence[Result]):
    """Bars from zero, with their figures at the right; none for shapes that no gateware has."""
    from matplotlib.patches import Patch

    have = [(result, mean_cycles(result)) for result in results]
    have = [(result, cycles) for result, cycles in have if cycles is not None]
    shown = [result for result, _ in have]
    figure = _figure(shown)
    axes = figure.add_subplot(xlabel="cycles per greedy token, mean over the context")
    ready = [result.gateware.startswith("yes") for result in shown]
    looks = {True: COLORS[0], False: "#a0a0a0"}
    axes.barh(range(len(have)), [cycles for _, cycles in have], color=[looks[r] for r in ready])
    _name_rows(axes, shown)
    values = axes.secondary_yaxis("right")
    values.set_yticks(range(len(have)), [f"{cycles:,.1f}" for _, cycles in have])
    values.tick_params(length=0, labelsize=SMALL_FONT)
    axes.grid(axis="x")
    meanings = {True: "runs in the gateware as it is", False: "once it is quantized"}
    handles = [Patch(color=looks[r], label=meanings[r]) for r in meanings if r in ready]
    figure.legend(handles=handles, ncols=2, **LEGEND)
    return figure


def _figure(results: Sequence[Result]):
    return new_figure(1.3 + 0.24 * len(results))


def _name_rows(axes, results: Sequence[Result]):
    names = [result.name for result in results]
    axes.set_yticks(range(len(results)), names, fontsize=SMALL_FONT)
    axes.set_ylim(max(len(results), 1) - 0.5, -0.5)


PLOTS = (
    ("perplexity.svg", perplexity_figure),
    ("agreement.svg", agreement_figure),
    ("cycles.svg", cycles_figure),
)
"""File names and what draws them."""
