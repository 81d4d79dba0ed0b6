"""Loss over speed of several models in one picture: ``gateformer bench-models MODEL …``.

Each model is measured by :mod:`model.bench.bench`, unless a file is given for it that
``gateformer bench MODEL --json FILE`` wrote.
"""

from __future__ import annotations

import dataclasses
import itertools
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..contract.artifact import open_model
from ..support import cli
from ..support.directories import require_writable
from ..support.errors import UserError
from ..support.file_facts import Facts
from ..support.inputs import protecting, reading
from ..support.optional import require
from ..support.picture import LEGEND, distinct_colors, new_figure, style, svg
from ..support.whole_file import write_whole
from . import bench
from .accelerator import ACCELERATOR, check_boards
from .redraw import FILE_SUFFIX
from .report import SCHEMA_VERSION
from .rows import FLOAT

ROWS = {
    "torch-kv": ("PyTorch, KV cache", "s"),
    "onnx-kv": ("onnxruntime, static KV", "D"),
    "c": ("C, one core", "o"),
    ACCELERATOR: ("simulated cycles × the board's clock", "*"),
}
"""The rows that are drawn, of one stream: label and marker."""


@dataclasses.dataclass(frozen=True)
class Point:
    """One row of one benchmark.

    Parameters
    ----------
    model : str
    row : str, key of :data:`ROWS`
    function : str, float32 or the integer function
    where : str, the row's label in its benchmark
    tokens_per_second : float, median
    loss : float, of that function on the validation text, nats per character
    """

    model: str
    row: str
    function: str
    where: str
    tokens_per_second: float
    loss: float


def _points(facts: Facts) -> list[Point]:
    rows, losses, points = facts.items("rows"), facts.table("losses"), []
    for row in map(rows.table, rows):
        kind, function = _kind(row.text("key")), row.text("function")
        rate = row.table("tokens_per_second").number("median", positive=True)
        loss = losses.number(function, default=None)
        alone = row.integer("streams", 1, default=1) == 1
        if kind in ROWS and alone and loss is not None:
            points.append(Point(facts.text("model"), kind, function, row.text("label"), rate, loss))
    return points


def read_points(path: Path) -> list[Point]:
    """The points of a file. UserError if it is no benchmark, or has none of them."""
    try:
        facts = Facts.parse(path, path.read_bytes())
        version = facts.integer("schema_version", 0)
        if version != SCHEMA_VERSION:
            raise facts.refused("schema_version", str(SCHEMA_VERSION), version)
        points = _points(facts)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None
    except UserError as error:
        raise UserError(
            f"{path} is no benchmark of schema version {SCHEMA_VERSION} "
            f"({str(error).removeprefix(f'{path}: ')}); "
            "write one with gateformer bench MODEL --json FILE"
        ) from None
    if not points:
        raise UserError(
            f"{path} has nothing to draw: its model states no validation loss, or none of the "
            f"rows {', '.join(ROWS)} was measured"
        )
    return points


def _kind(key: str) -> str:
    return ACCELERATOR if key.startswith(ACCELERATOR) else key


def draw(points: Sequence[Point]) -> str:
    """SVG: one colour per model, one marker per row and board, hollow where floats compute."""
    return svg(models_figure(points))


@style()
def models_figure(points: Sequence[Point]):
    """No text beside the points, which lie close together: boards have markers of their own."""
    from matplotlib.lines import Line2D

    models = list(dict.fromkeys(point.model for point in points))
    kinds = list(dict.fromkeys(_Kind.of(point) for point in points))
    boards = [kind for kind in kinds if kind.row == ACCELERATOR]
    markers = {kind: ROWS[kind.row][1] for kind in kinds}
    markers |= zip(boards, board_markers(), strict=False)
    columns = 2
    figure = new_figure(4.2 + 0.2 * -(-(len(models) + len(kinds)) // columns))
    axes = figure.add_subplot(
        xlabel="greedy tokens per second (mean over the context)",
        ylabel="validation loss, nats per character",
        xscale="log",
    )
    colors = dict(zip(models, distinct_colors(len(models)), strict=True))
    for point in points:
        kind = _Kind.of(point)
        axes.plot(
            point.tokens_per_second,
            point.loss,
            marker=markers[kind],
            linestyle="none",
            color=colors[point.model],
            fillstyle=kind.fill,
            ms=11 if point.row == ACCELERATOR else 8,
        )
    axes.margins(x=0.08, y=0.12)
    axes.grid(which="both")
    handles = [Line2D([], [], color=colors[model], lw=5, label=model) for model in models]
    for kind in kinds:
        shape = {"color": "black", "lw": 0, "fillstyle": kind.fill, "marker": markers[kind]}
        handles.append(Line2D([], [], **shape, label=kind.label))
    figure.legend(handles=handles, ncols=columns, **LEGEND)
    return figure


@dataclasses.dataclass(frozen=True)
class _Kind:
    """What has one marker: a row, of the accelerator on one board."""

    row: str
    function: str
    board: str | None

    @classmethod
    def of(cls, point: Point) -> _Kind:
        board = point.where.partition(",")[0] if point.row == ACCELERATOR else None
        return cls(point.row, point.function, board)

    @property
    def fill(self) -> str:
        return "none" if self.function == FLOAT else "full"

    @property
    def label(self) -> str:
        where = ROWS[self.row][0]
        return f"{self.function}: {where if self.board is None else f'{self.board}, {where}'}"


def board_markers() -> Iterator[str]:
    """Markers of the accelerator's boards, without end: shapes, then numbers."""
    yield from "*P^Xvd<>"
    for number in itertools.count(1):
        yield f"${number}$"


def measured(model: str, options: Sequence[str]) -> list[Point]:
    """The points of a model, measured now and printed; ``options``: as of ``gateformer bench``."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / f"bench{FILE_SUFFIX}"
        bench.main([model, "--only", *ROWS, *options, "--json", str(path)])
        return read_points(path)


@protecting
def main(argv: list[str] | None = None) -> None:
    """Entry point; raises UserError and ToolError."""
    parser = cli.ArgumentParser(
        prog="gateformer bench-models",
        description="Loss over tokens per second of several models, in one picture.",
    )
    add = parser.add_argument
    add(
        "models",
        nargs="+",
        metavar="MODEL",
        help=f"shipped model or artifact to measure, or a {FILE_SUFFIX} of gateformer bench",
    )
    add("--svg", type=Path, required=True, metavar="FILE", help="picture to write")
    add("--board", nargs="+", default=[bench.DEFAULT_BOARD], help=bench.BOARD_HELP)
    bench.add_repeats(parser)
    args = parser.parse_args(argv)
    require({"matplotlib": "the picture"}, "bench")
    reading(model=args.models)
    bench.check_directory("--svg", args.svg, args.svg.absolute().parent)
    require_writable(args.svg, ".svg", "--svg")
    if any(not name.endswith(FILE_SUFFIX) for name in args.models):
        check_boards(args.board)
    points = {}
    for name in args.models:
        if name.endswith(FILE_SUFFIX):
            points[name] = read_points(Path(name))
            continue
        info = open_model(name, instead=bench.INSTEAD).info
        if not any(key in info for key in bench.LOSSES.values()):
            raise UserError(f"{name} states no validation loss; train it with gateformer train")
    options = ["--board", *args.board, "--repeats", str(args.repeats)]
    for name in args.models:
        if name not in points:
            points[name] = measured(name, options)
    found = [point for name in args.models for point in points[name]]
    write_whole(args.svg, draw(found))
    print(f"{args.svg}: {len(found)} points of {len(args.models)} benchmarks")


if __name__ == "__main__":
    cli.run(main)
