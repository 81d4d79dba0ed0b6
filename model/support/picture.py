"""The look of every matplotlib picture: one size, one style, line styles that never repeat, SVG.

Nothing here depends on the user's matplotlibrc: the same data give the same bytes everywhere.
"""

from __future__ import annotations

import contextlib
import io
import itertools
from collections.abc import Iterator

WIDTH = 9.0
"""Inches; README and docs show it about 880 pixels wide."""
FONT, SMALL_FONT = 9, 8
"""Points: 12 and 11 pixels at that width."""
COLORS = (
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#cc79a7",
    "#56b4e9",
    "#e69f00",
    "#000000",
    "#7f6000",
)
"""Colours that colour-blind readers tell apart (Okabe and Ito; dark yellow for their yellow)."""
DASHES = ("-", (0, (5, 2)), (0, (1, 1.5)), (0, (7, 2, 1, 2)))
STYLE = {
    "svg.hashsalt": "gateformer",
    "svg.fonttype": "none",
    "font.size": FONT,
    "axes.titlesize": FONT + 2,
    "axes.axisbelow": True,
    "axes.formatter.useoffset": False,
    "grid.alpha": 0.3,
    "legend.fontsize": SMALL_FONT,
    "legend.frameon": False,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
}
"""Fixed names and no date: equal results give equal files. White: GitHub's dark mode shows it."""
LEGEND = {"loc": "outside lower center"}
"""Below the axes, where no data can be."""


@contextlib.contextmanager
def style() -> Iterator[None]:
    """Context or decorator in which figures are made and written; needs matplotlib."""
    import matplotlib.style

    with matplotlib.style.context(STYLE, after_reset=True):
        yield


def new_figure(height: float):
    """An empty figure, ``height`` inches high."""
    from matplotlib.figure import Figure

    return Figure(figsize=(WIDTH, height), layout="constrained")


def distinct_colors(count: int) -> list:
    """As many as asked for: COLORS, or a finer scale where they are too few."""
    from matplotlib import colormaps

    if count <= len(COLORS):
        return list(COLORS[:count])
    return [colormaps["turbo"]((number + 0.5) / count) for number in range(count)]


def line_styles() -> Iterator[dict]:
    """Keywords of plot for one line after the other, without end and without repetition."""
    further = ((0, (7, 2, *(1, 2) * dots)) for dots in itertools.count(2))
    for dash in itertools.chain(DASHES, further):
        for color in COLORS:
            yield {"color": color, "linestyle": dash}


@style()
def svg(figure) -> str:
    """The picture as text; the same figure gives the same text."""
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()
