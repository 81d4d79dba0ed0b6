"""What can be wrong with an SVG that is not matplotlib's: rectangles, texts, straight arrows."""

from __future__ import annotations

import itertools
import re
from xml.etree import ElementTree

from matplotlib.font_manager import FontProperties
from matplotlib.path import Path
from matplotlib.textpath import TextPath
from matplotlib.transforms import Bbox

from .picture_checks import SHOWN_WIDTH, SMALLEST, overlap

SVG = "{http://www.w3.org/2000/svg}"


def svg_faults(text: str) -> list[str]:
    """Everything wrong with an SVG of rectangles, texts and paths of M, H, V and L (or Z)."""
    root = ElementTree.fromstring(text)
    _, _, width, height = map(float, root.get("viewBox").split())
    styles = _class_styles(root)
    texts = [
        (_text_box(node, root, styles), "".join(node.itertext())) for node in _all(root, "text")
    ]
    found = []
    for (one, name), (other, other_name) in itertools.combinations(texts, 2):
        if overlap(one, other):
            found.append(f"{name!r} over {other_name!r}")
    for node in _all(root, "text"):
        size = _size(node, root, styles) * SHOWN_WIDTH / width
        if size < SMALLEST:
            found.append(f"{''.join(node.itertext())!r} of {size:.1f} pixels")
    for box, name in texts:
        if box.x0 < 0 or box.y0 < 0 or box.x1 > width or box.y1 > height:
            found.append(f"{name!r} leaves the picture")
    rectangles = [_rectangle(node) for node in _all(root, "rect")]
    if not rectangles or rectangles[0].extents.tolist() != [0, 0, width, height]:
        found.append("no background")
    elif next(_all(root, "rect")).get("fill") != "white":
        found.append("no white background")
    for box, name in texts:
        for rectangle in rectangles[1:]:
            inside = rectangle.x0 <= box.x0 and box.x1 <= rectangle.x1
            inside = inside and rectangle.y0 <= box.y0 and box.y1 <= rectangle.y1
            if overlap(box, rectangle) and not inside:
                found.append(f"{name!r} over the edge of a box")
    return found


def arrow_faults(text: str) -> list[str]:
    """Arrows that do not lead from box to box, cross one, or have a text on them."""
    root = ElementTree.fromstring(text)
    styles = _class_styles(root)
    boxes = [_rectangle(node) for node in list(_all(root, "rect"))[1:]]
    texts = [
        (_text_box(node, root, styles), "".join(node.itertext())) for node in _all(root, "text")
    ]
    found = []
    for node in _arrows(root):
        data = node.get("d")
        corners = _corners(data)
        for what, place in (("begins", corners[0]), ("ends", corners[-1])):
            if sum(_on_edge(box, place) for box in boxes) != 1:
                found.append(f"{data} {what} at no box")
        path = Path(corners)
        for box in boxes:
            inner = Bbox.from_extents(box.x0 + 1, box.y0 + 1, box.x1 - 1, box.y1 - 1)
            if path.intersects_bbox(inner, filled=False):
                found.append(f"{data} crosses a box")
        for box, name in texts:
            if path.intersects_bbox(box, filled=False):
                found.append(f"{data} crosses {name!r}")
    return found


def connections(text: str) -> set[tuple[str, str]]:
    """Titles of the boxes that each arrow leads from and to."""
    root = ElementTree.fromstring(text)
    boxes = [_rectangle(node) for node in list(_all(root, "rect"))[1:]]
    titles = {}
    for node in _all(root, "text"):
        place = float(node.get("x")), float(node.get("y"))
        for index, box in enumerate(boxes):
            if box.contains(*place):
                titles.setdefault(index, "".join(node.itertext()))
    found = set()
    for node in _arrows(root):
        corners = _corners(node.get("d"))
        ends = [
            next((titles[i] for i, box in enumerate(boxes) if _on_edge(box, place)), "nothing")
            for place in (corners[0], corners[-1])
        ]
        found.add(tuple(ends))
    return found


def _all(root, name: str):
    return root.iter(SVG + name)


def _arrows(root):
    defined = {id(path) for marker in _all(root, "marker") for path in _all(marker, "path")}
    return [path for path in _all(root, "path") if id(path) not in defined]


def _class_styles(root) -> dict[str, dict[str, str]]:
    style = "".join("".join(node.itertext()) for node in _all(root, "style"))
    return {
        name: dict(entry.split(":", 1) for entry in body.split(";") if entry)
        for name, body in re.findall(r"\.(\w+)\{([^}]*)\}", style)
    }


def _size(node, root, styles) -> float:
    of_class = styles.get(node.get("class"), {}).get("font-size")
    return float((of_class or node.get("font-size") or root.get("font-size")).removesuffix("px"))


def _text_box(node, root, styles) -> Bbox:
    """As wide as DejaVu Sans is, which is wider than Helvetica and Arial."""
    of_class = styles.get(node.get("class"), {})
    weight = of_class.get("font-weight") or node.get("font-weight") or "normal"
    font = FontProperties(family="DejaVu Sans", weight=weight)
    size = _size(node, root, styles)
    drawn = TextPath((0, 0), "".join(node.itertext()), size=size, prop=font).get_extents()
    shift = {"start": 0, "middle": 0.5, "end": 1}[node.get("text-anchor", "start")]
    x = float(node.get("x")) - shift * drawn.width
    y = float(node.get("y"))
    return Bbox.from_extents(x, y - drawn.y1, x + drawn.width, y - drawn.y0)


def _rectangle(node) -> Bbox:
    x, y = float(node.get("x", 0)), float(node.get("y", 0))
    return Bbox.from_bounds(x, y, float(node.get("width")), float(node.get("height")))


def _corners(data: str) -> list[tuple[float, float]]:
    places = []
    for command, values in re.findall(r"([MLHV])\s*([-\d., ]+)", data):
        numbers = [float(value) for value in re.split(r"[ ,]+", values.strip())]
        if command == "H":
            places.append((numbers[0], places[-1][1]))
        elif command == "V":
            places.append((places[-1][0], numbers[0]))
        else:
            places.append((numbers[0], numbers[1]))
    return places


def _on_edge(box: Bbox, place: tuple[float, float]) -> bool:
    x, y = place
    beside = x in (box.x0, box.x1) and box.y0 <= y <= box.y1
    return beside or (y in (box.y0, box.y1) and box.x0 <= x <= box.x1)
