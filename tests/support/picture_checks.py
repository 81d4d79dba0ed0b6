"""What can be wrong with a picture of matplotlib, found in what is drawn."""

from __future__ import annotations

import itertools

import numpy as np
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection, PathCollection, QuadMesh
from matplotlib.colors import to_hex, to_rgba
from matplotlib.lines import Line2D
from matplotlib.path import Path
from matplotlib.text import Text
from matplotlib.transforms import Bbox

SHOWN_WIDTH = 880
"""Pixels that README and docs have for a picture."""
SMALLEST = 10.5
"""Pixels of a letter's size there."""


def faults(figure) -> list[str]:
    """Everything wrong with a figure, one line each."""
    FigureCanvasAgg(figure).draw()
    left_out = _out_of_view(figure)
    texts = [
        text
        for text in figure.findobj(Text)
        if text.get_visible() and text.get_text().strip() and text not in left_out
    ]
    boxes = [text.get_window_extent() for text in texts]
    found = []
    for (one, box), (other, other_box) in itertools.combinations(zip(texts, boxes, strict=True), 2):
        if overlap(box, other_box):
            found.append(f"{one.get_text()!r} over {other.get_text()!r}")
    scale = SHOWN_WIDTH / (72 * figure.get_figwidth())
    for text, box in zip(texts, boxes, strict=True):
        size = text.get_fontsize() * scale
        if size < SMALLEST:
            found.append(f"{text.get_text()!r} of {size:.1f} pixels")
        if not (figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1):
            found.append(f"{text.get_text()!r} leaves the picture")
        if not (figure.bbox.y0 <= box.y0 and box.y1 <= figure.bbox.y1):
            found.append(f"{text.get_text()!r} leaves the picture")
    covers = [(repr(text.get_text()), box) for text, box in zip(texts, boxes, strict=True)]
    legends = [*figure.legends, *(a.get_legend() for a in figure.axes if a.get_legend())]
    covers += [("the legend", legend.get_window_extent()) for legend in legends]
    for axes in figure.axes:
        for name, box in covers:
            found += [f"{name} over data: {what}" for what in _data_in(axes, box)]
        found += _bars_without_zero(axes)
        found += _same_lines(axes)
    for legend in legends:
        found += _same_handles(legend)
    if to_rgba(figure.get_facecolor()) != (1, 1, 1, 1):
        found.append("no white background")
    return found


def _out_of_view(figure) -> set[Text]:
    """Ticks outside the limits keep their text, but are not drawn."""
    found = set()
    for axis in figure.findobj(Axis):
        low, high = sorted(axis.get_view_interval())
        for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
            if not low <= tick.get_loc() <= high:
                found |= {tick.label1, tick.label2}
    return found


def overlap(one: Bbox, other: Bbox) -> bool:
    shared = Bbox.intersection(one, other)
    return shared is not None and min(shared.width, shared.height) > 0.5


def _data_in(axes, box: Bbox) -> list[str]:
    """What is drawn of an axes' data inside a box."""
    inner = Bbox.from_extents(box.x0 + 0.5, box.y0 + 0.5, box.x1 - 0.5, box.y1 - 0.5)
    if not inner.overlaps(axes.get_window_extent()):
        return []
    found = []
    for line in axes.get_lines():
        path = line.get_transform().transform_path(_stepped(line))
        joined = line.get_linestyle() not in ("None", "", " ") and line.get_linewidth() > 0
        if joined and len(path.vertices) > 1 and path.intersects_bbox(inner, filled=False):
            found.append("a line")
        elif inner.count_contains(path.vertices):
            found.append("a point of a line")
    for collection in axes.collections:
        if isinstance(collection, PathCollection):
            places = collection.get_offset_transform().transform(collection.get_offsets())
            if inner.count_contains(np.asarray(places)):
                found.append("a point")
        elif isinstance(collection, QuadMesh):
            if collection.get_window_extent().overlaps(inner):
                found.append("a cell")
        else:
            filled = not isinstance(collection, LineCollection)
            for path in collection.get_paths():
                drawn = collection.get_transform().transform_path(path)
                if drawn.intersects_bbox(inner, filled=filled):
                    found.append("an area" if filled else "a line")
    for patch in axes.patches:
        drawn = patch.get_transform().transform_path(patch.get_path())
        if drawn.intersects_bbox(inner, filled=True):
            found.append("a bar")
    return found


def _stepped(line: Line2D) -> Path:
    points = line.get_xydata()
    if line.get_drawstyle() != "steps-post":
        return Path(points)
    corners = np.repeat(points, 2, axis=0)
    return Path(np.column_stack([corners[1:, 0], corners[:-1, 1]]))


def _bars_without_zero(axes) -> list[str]:
    scales = {"vertical": axes.get_yscale(), "horizontal": axes.get_xscale()}
    bars = [c for c in axes.containers if hasattr(c, "orientation")]
    return ["bars on an axis without zero" for c in bars if scales[c.orientation] == "log"]


def _look(line: Line2D) -> tuple:
    color = to_hex(to_rgba(line.get_color(), line.get_alpha()), keep_alpha=True)
    marker = (line.get_marker(), line.get_fillstyle())
    joined = line.get_linestyle() not in ("None", "", " ") and line.get_linewidth() > 0
    return color, str(line._dash_pattern) if joined else "", marker


def _same_lines(axes) -> list[str]:
    """Lines of several points that look the same."""
    looks = [_look(line) for line in axes.get_lines() if len(line.get_xdata()) > 2]
    count = len(looks) - len(set(looks))
    return [f"{count} of {len(looks)} lines look like others"] if count else []


def _same_handles(legend) -> list[str]:
    looks = []
    for handle, text in zip(legend.legend_handles, legend.get_texts(), strict=True):
        if isinstance(handle, Line2D):
            look = _look(handle)
        elif isinstance(handle, PathCollection):
            marker = handle.get_paths()[0].vertices.round(3).tobytes()
            look = (to_hex(handle.get_facecolor()[0]), marker)
        else:
            look = (to_hex(handle.get_facecolor()), "area")
        looks.append((look, text.get_text()))
    return [
        f"{one[1]!r} looks like {other[1]!r}"
        for one, other in itertools.combinations(looks, 2)
        if one[0] == other[0]
    ]
