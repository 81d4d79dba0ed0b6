"""Report of compressed models: ``gateformer compression-report``.

Draws what ``gateformer compress`` measured (``docs/compression/*.json``): a table, and plots
as SVG beside the results. Cycles are the compiled program's.
"""

from __future__ import annotations

import os
from pathlib import Path

from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.model.compression.result import GATES, Result, load_results
from gateformer.model.support.cli import ArgumentParser, run
from gateformer.model.support.directories import require_writable
from gateformer.model.support.errors import UserError
from gateformer.model.support.inputs import protecting, reading
from gateformer.model.support.optional import install_command
from gateformer.model.support.picture import svg
from gateformer.model.support.whole_file import write_whole

from .compression_plots import PLOTS, mean_cycles

RESULTS = Path("docs/compression")
HEADINGS = (
    "result",
    "text",
    "nats",
    "float",
    "perplexity",
    "bytes",
    "times smaller",
    "same greedy",
    "cycles",
    "gate",
)
TITLE = "# Compression: results"
"""First line of every report, which tells it from other files."""
INTRODUCTION = """{title}

```sh
{command}
```

writes this file and its plots from the results in `{directory}/`, which the commands at the end
wrote. What the methods do and how it is measured: [compression_methods.md](compression_methods.md).
Cycles are the mean per greedy token over the context, exact, from the program of an integer model
of that shape at {sizes}; in brackets where
the result is float and `gateformer compress integer` has to make integers of it first.
"""


def rows(result: Result) -> list[tuple[str, ...]]:
    """Cells in the order of HEADINGS, one row for each text."""
    cycles = mean_cycles(result)
    shown = "–" if cycles is None else f"{cycles:,.1f}"
    if cycles is not None and not result.gateware.startswith("yes"):
        shown = f"({shown})"
    gate = "–"
    if result.gate is not None:
        limit = GATES[result.gate][0] - 1
        gate = f"{'passed' if result.passed else '**not passed**'} ({limit:+.0%})"
    made = []
    for number, row in enumerate(result.losses):
        first = number == 0
        made.append(
            (
                f"`{result.name}`" if first else "",
                row.text,
                f"{row.loss:.4f}",
                f"{row.float_loss:.4f}",
                f"{row.perplexity_ratio - 1:+.2%}",
                f"{result.n_bytes:,}" if first else "",
                f"{result.float_bytes / result.n_bytes:.2f}" if first else "",
                f"{result.agreement['greedy']:.1%}" if first else "",
                shown if first else "",
                gate if first else "",
            )
        )
    return made


def markdown(results: list[Result], command: str, directory: Path, report: Path) -> str:
    """All of ``report``, with the pictures in ``directory``."""
    hw = HwConfig()
    sizes = f"{hw.rows} × {hw.cols} weights per cycle and {hw.lanes} lanes"
    directory_text = os.path.relpath(directory, directory.parent.parent)
    lines = [
        INTRODUCTION.format(title=TITLE, command=command, directory=directory_text, sizes=sizes)
    ]
    lines += ["| " + " | ".join(HEADINGS) + " |", "|" + " --- |" * len(HEADINGS)]
    for result in results:
        lines += ["| " + " | ".join(row) + " |" for row in rows(result)]
    lines += ["", "Gates, on the first text:", ""]
    for key, (limit, meaning) in GATES.items():
        having = [result for result in results if result.gate == key]
        verdicts = ", ".join(
            f"`{result.name}` {result.losses[0].perplexity_ratio - 1:+.2%} "
            f"{'passed' if result.passed else '**not passed**'}"
            for result in having
        )
        lines.append(f"- {meaning}, at most {limit - 1:+.0%}: {verdicts or 'not measured'}")
    plots = [name for name, _ in PLOTS]
    pictures = Path(os.path.relpath(directory, report.parent)).as_posix()
    lines += ["", *(f"![{Path(name).stem}]({pictures}/{name})" for name in plots)]
    lines += ["", "## Commands", "", "| result | command | gateware |", "| --- | --- | --- |"]
    lines += [f"| `{result.name}` | `{result.command}` | {result.gateware} |" for result in results]
    left_out = sorted(
        {(row.text, row.left_out) for result in results for row in result.losses if row.left_out}
    )
    for text, count in left_out:
        lines += ["", f"Of {text} {count:,} characters that the model lacks were left out."]
    return "\n".join(lines) + "\n"


def draw(results: list[Result], directory: Path):
    """Write the plots; the same results give the same bytes. UserError without matplotlib."""
    try:
        import matplotlib.figure  # noqa: F401
    except ModuleNotFoundError:
        raise UserError(f"the plots need matplotlib: {install_command('fit')}") from None
    for name, plot in PLOTS:
        write_whole(directory / name, svg(plot(results)))


def _beside(directory: Path) -> Path:
    """The report of a directory, unless another file is asked for."""
    directory = directory if directory.name else directory.resolve()
    return directory.parent / f"{directory.name}.md"


def _require_ours(report: Path):
    """UserError if that is a file which this command did not write."""
    if not report.exists():
        return
    with report.open("rb") as file:
        ours = file.readline().rstrip() == TITLE.encode()
    if not ours:
        raise UserError(
            f"{report} is no earlier report of gateformer compression-report; name another --out, "
            "or remove it first"
        )


@protecting
def main(argv: list[str] | None = None):
    """Entry point; raises UserError."""
    parser = ArgumentParser(
        prog="gateformer compression-report",
        description="Draw the results of gateformer compress.",
    )
    parser.add_argument(
        "--results",
        type=Path,
        default=RESULTS,
        metavar="DIR",
        help="what gateformer compress --results wrote; the plots go there, too",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help=f"the report, Markdown (default: DIR.md beside DIR, {_beside(RESULTS)})",
    )
    args = parser.parse_args(argv)
    if not args.results.is_dir():
        raise UserError(
            f"--results {args.results}: there is no such directory; name one that gateformer "
            "compress --results wrote"
        )
    reading(result=args.results.glob("*.json"))
    report = _beside(args.results) if args.out is None else args.out
    require_writable(report, ".md")
    _require_ours(report)
    for name, _ in PLOTS:
        require_writable(args.results / name, ".svg", "--results")
    results = load_results(args.results)
    results.sort(key=lambda result: (result.source["name"], result.n_bytes))
    command = "gateformer compression-report"
    if args.results != RESULTS:
        command += f" --results {args.results.name}"
    if args.out is not None:
        command += f" --out {args.out.name}"
    draw(results, args.results)
    write_whole(report, markdown(results, command, args.results, report))
    print(f"{report}: {len(results)} results")


if __name__ == "__main__":
    run(main)
