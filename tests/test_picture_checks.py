"""The checks of pictures find each fault that they are for, and nothing in a picture without."""

import pytest

pytest.importorskip("matplotlib")

from matplotlib.figure import Figure

from tests.support.picture_checks import faults
from tests.support.svg_checks import arrow_faults, svg_faults


def drawn(*, legend=None, size=12):
    figure = Figure(figsize=(9, 5), layout="constrained", facecolor="white")
    axes = figure.add_subplot()
    axes.plot([0, 1, 2], [0, 1, 4], color="red", label="one")
    axes.plot([0, 1, 2], [0, 2, 3], color="red", linestyle="--", label="other")
    if legend == "outside":
        figure.legend(loc="outside lower center", fontsize=size)
    return figure, axes


def test_nothing_is_found_in_a_good_picture():
    assert faults(drawn(legend="outside")[0]) == []


def over_each_other(figure, axes):
    axes.annotate("first", (1, 3.5))
    axes.annotate("second", (1.01, 3.5))


def over_a_line(figure, axes):
    axes.annotate("on the line", (1, 1), ha="center", va="center")


def over_a_point(figure, axes):
    axes.scatter([0.3], [3])
    axes.annotate("on the point", (0.3, 3), ha="center", va="center")


def over_a_bar(figure, axes):
    axes.bar([0.3], [3], 0.2)
    axes.annotate("on", (0.3, 2), ha="center")


def legend_over_data(figure, axes):
    axes.legend(loc="upper right")


def small(figure, axes):
    axes.annotate("small", (0.2, 3), fontsize=6)


def outside(figure, axes):
    text = axes.annotate("a long text at the right edge", (1.9, 0.2))
    text.set_in_layout(False)


def bars_on_a_logarithmic_axis(figure, axes):
    axes.barh([8, 9], [1, 2])
    axes.set_xscale("log")


def same_lines(figure, axes):
    axes.plot([0, 1, 2], [1, 1.5, 2], color="red")


def same_handles(figure, axes):
    axes.scatter([0.2], [3], color="blue", label="blue")
    axes.scatter([0.4], [3], color="blue", label="as blue")
    figure.legend(loc="outside lower center", fontsize=12)


def transparent(figure, axes):
    figure.set_facecolor("none")


@pytest.mark.parametrize(
    "change, text",
    [
        (over_each_other, "'first' over 'second'"),
        (over_a_line, "'on the line' over data: a line"),
        (over_a_point, "'on the point' over data: a point"),
        (over_a_bar, "'on' over data: a bar"),
        (legend_over_data, "the legend over data: a line"),
        (small, "'small' of 8.1 pixels"),
        (outside, "'a long text at the right edge' leaves the picture"),
        (bars_on_a_logarithmic_axis, "bars on an axis without zero"),
        (same_lines, "1 of 3 lines look like others"),
        (same_handles, "'blue' looks like 'as blue'"),
        (transparent, "no white background"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_each_fault_is_found(change, text):
    figure, axes = drawn()
    change(figure, axes)
    assert text in faults(figure)


BOXES = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 880 100" font-size="12">'
    '<rect width="880" height="100" fill="white"/>'
    '<rect x="10" y="10" width="100" height="40"/>'
    '<text x="60" y="30" text-anchor="middle">one</text>'
    '<rect x="210" y="10" width="100" height="40"/><text x="220" y="30">two</text>'
    '{}<path d="M110,30 H{}"/></svg>'
)


def test_nothing_is_found_in_good_boxes():
    good = BOXES.format('<text x="150" y="24">a</text>', 210)
    assert svg_faults(good) == arrow_faults(good) == []


@pytest.mark.parametrize(
    "addition, end, text",
    [
        ('<text x="225" y="32">three</text>', 210, "'two' over 'three'"),
        ('<text x="150" y="80" font-size="10">small</text>', 210, "'small' of 10.0 pixels"),
        ('<text x="860" y="80">outside</text>', 210, "'outside' leaves the picture"),
        ('<text x="100" y="20">edge</text>', 210, "'edge' over the edge of a box"),
        ('<text x="150" y="34">on it</text>', 210, "M110,30 H210 crosses 'on it'"),
        ("", 200, "M110,30 H200 ends at no box"),
        ("", 310, "M110,30 H310 crosses a box"),
    ],
)
def test_each_fault_of_boxes_and_arrows_is_found(addition, end, text):
    boxes = BOXES.format(addition, end)
    assert text in [*svg_faults(boxes), *arrow_faults(boxes)]


def test_a_picture_without_background_is_found():
    assert svg_faults(BOXES.format("", 210).replace(' fill="white"', "")) == ["no white background"]
