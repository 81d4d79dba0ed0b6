"""Speed of one model on several platforms, side by side: ``gateformer bench MODEL``."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from ..contract.artifact import Artifact, open_model
from ..support import cli
from ..support.directories import require_writable
from ..support.errors import UserError
from ..support.inputs import protecting, reading
from ..support.optional import require
from ..support.terminal import Terminal
from ..support.whole_file import write_whole
from ..text.tokenizer import CharTokenizer
from .accelerator import ACCELERATOR, accelerator, check_boards
from .machine import load, machine, versions
from .measure import Measurement, measure
from .redraw import FILE_SUFFIX, read_results
from .report import document, table
from .rows import BUILDERS, FLOAT, INTEGER, C, build_rows

KEYS = (*BUILDERS, ACCELERATOR)
DEFAULT_REPEATS = 20
MAX_REPEATS = 100_000
PLAIN_WIDTH = 150
"""Columns of a table that goes to a file or a pipe."""
LOSSES = {FLOAT: "val_loss_float", INTEGER: "val_loss_int"}
"""Where an artifact's facts have the validation loss of each function."""
INSTEAD = "gateformer bench-decoder"
"""What measures models that are refused here."""
DEFAULT_BOARD = "zybo"
OF_STREAMS = (C, ACCELERATOR)
"""Rows that there are for each count of streams."""
BOARD_HELP = f"of the accelerator; a variant follows a colon: ulx3s:25F (default: {DEFAULT_BOARD})"
PICTURES = ("bench-platforms.svg", "bench-positions.svg")


def _parser() -> argparse.ArgumentParser:
    parser = cli.ArgumentParser(
        prog="gateformer bench", description="Tokens per second, platform beside platform."
    )
    add = parser.add_argument
    add(
        "model",
        help="shipped model, artifact, or 'random:…'; or a file of --json, which --svg draws. "
        f"Imported models: {INSTEAD}",
    )
    add("--only", nargs="+", metavar="ROW", help=f"rows to measure: {', '.join(KEYS)}")
    add("--skip", nargs="+", metavar="ROW", default=[], help="rows to leave out")
    add("--board", nargs="+", metavar="BOARD", help=BOARD_HELP)
    add(
        "--streams",
        nargs="+",
        type=cli.within(int, 1),
        metavar="N",
        help=f"texts at once, a row of {' and '.join(OF_STREAMS)} for each N (default: 1)",
    )
    add("--prompt", metavar="TEXT", help="(default: a line break, or the first character there is)")
    tokens = "to generate (default: to the context's end)"
    add("--tokens", type=cli.within(int, 1), metavar="N", help=tokens)
    add_repeats(parser)
    add("--json", type=Path, metavar="FILE", help="write all figures")
    add("--svg", type=Path, metavar="DIR", help=f"draw {' and '.join(PICTURES)}")
    return parser


@protecting
def main(argv: list[str] | None = None) -> None:
    """Entry point; raises UserError and ToolError."""
    args = _parser().parse_args(argv)
    if args.model.endswith(FILE_SUFFIX):
        return _redraw(args)
    reading(model=args.model)
    keys = _keys(args)
    _check_outputs(args)
    boards, streams = args.board or [DEFAULT_BOARD], list(dict.fromkeys(args.streams or [1]))
    if ACCELERATOR in keys or args.streams:
        check_boards(boards, streams)
    artifact = open_model(args.model, instead=INSTEAD)
    prompt = _prompt(artifact, args.prompt)
    count = _count(artifact, len(prompt), args.tokens)
    console = Terminal(stderr=True)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=len(keys))

        def show(what: str) -> None:
            progress.update(task, advance=1, description=what)

        software = [key for key in keys if key != ACCELERATOR]
        rows, skipped = build_rows(
            artifact, software, lambda key: show(f"preparing {key}"), streams
        )
        hardware = []
        for board in boards if ACCELERATOR in keys else []:
            show(f"cycles on {board}")
            try:
                hardware += accelerator(args.model, board, len(prompt) - 1, count, streams)
            except UserError as error:
                skipped[f"{ACCELERATOR}, {board}"] = str(error)
        progress.reset(task, total=len(rows) * (args.repeats + 1))
        before = load()
        results = [*measure(rows, artifact.model, prompt, count, args.repeats, show), *hardware]
    for key, reason in skipped.items():
        console.print(f"{key} left out: {reason}", markup=False, soft_wrap=True)
    if not results:
        raise UserError("no row is left; see the lines above")
    facts = {
        "model": artifact.name,
        "digest": artifact.model.digest,
        "prompt": prompt,
        "count": count,
        "repeats": args.repeats,
        "losses": {name: artifact.info.get(key) for name, key in LOSSES.items()},
        "machine": {**machine(), "load_before": before},
        "versions": versions(),
    }
    output = Terminal()
    output = output if output.is_terminal else Terminal(width=PLAIN_WIDTH)
    output.print(table(results, facts))
    if args.json is not None:
        text = json.dumps(document(results, skipped, facts), indent=1) + "\n"
        write_whole(args.json, text)
    if args.svg is not None:
        _draw(args.svg, artifact.name, results)


def _draw(directory: Path, name: str, results: list[Measurement]) -> None:
    from .picture import by_platform, by_position

    for picture, draw in zip(PICTURES, (by_platform, by_position), strict=True):
        write_whole(directory / picture, draw(name, results))


def _redraw(args: argparse.Namespace) -> None:
    """The pictures of a file, without a measurement."""
    only = _parser().parse_args([args.model])
    only.svg = args.svg
    if args.svg is None or args != only:
        raise UserError(f"{args.model} is drawn as it is: it goes with --svg DIR and nothing else")
    _check_outputs(args)
    _draw(args.svg, *read_results(Path(args.model)))


def _keys(args: argparse.Namespace) -> list[str]:
    """The rows to measure, in the order of the table."""
    for key in [*(args.only or []), *args.skip]:
        if key not in KEYS:
            raise UserError(f"unknown row {key!r}; expected some of {', '.join(KEYS)}")
    keys = [key for key in KEYS if key in (args.only or KEYS) and key not in args.skip]
    if not keys:
        raise UserError("--skip leaves no row; leave one of --only or --skip out")
    if args.board and ACCELERATOR not in keys:
        raise UserError(
            f"--board is for the row {ACCELERATOR}, which is not among those to measure"
        )
    if args.streams and not set(OF_STREAMS) & set(keys):
        raise UserError(
            f"--streams is for the rows {' and '.join(OF_STREAMS)}, none of which is to be measured"
        )
    return keys


def _prompt(artifact: Artifact, text: str | None) -> list[int]:
    vocabulary = artifact.model.vocabulary
    if text is None:
        text = "\n" if "\n" in vocabulary else next(filter(None, vocabulary), "")
        if not text:
            return [0]
    if not text:
        raise UserError("--prompt must have at least 1 character, but is empty")
    return CharTokenizer(vocabulary).encode(text)


def _count(artifact: Artifact, length: int, count: int | None) -> int:
    most = artifact.model.config.ctx_len - length + 1
    if most < 1:
        raise UserError(
            f"the prompt has {length} tokens, but the context holds "
            f"{artifact.model.config.ctx_len}; shorten --prompt"
        )
    if count is not None and not 1 <= count <= most:
        raise UserError(
            f"--tokens must be 1 to {most} (the context's end after the prompt), not {count}"
        )
    return count or most


def add_repeats(parser: argparse.ArgumentParser) -> None:
    """Add ``--repeats``."""
    parser.add_argument(
        "--repeats",
        type=cli.within(int, 1, MAX_REPEATS),
        metavar="N",
        default=DEFAULT_REPEATS,
        help="of each measurement",
    )


def check_directory(option: str, given: Path, directory: Path) -> None:
    """Raise UserError unless ``directory``, where what ``option`` names goes, can be written to."""
    if not directory.is_dir():
        raise UserError(f"{option} {given}: there is no directory {directory}")
    if not os.access(directory, os.W_OK):
        raise UserError(f"{option} {given}: {directory} cannot be written to; choose another")


def _check_outputs(args: argparse.Namespace) -> None:
    """Before anything long is done for nothing."""
    places = [("--json", args.json, args.json and args.json.absolute().parent)]
    for option, given, directory in [*places, ("--svg", args.svg, args.svg)]:
        if given is not None:
            check_directory(option, given, directory)
    if args.json is not None:
        require_writable(args.json, FILE_SUFFIX, "--json")
    if args.svg is not None:
        for name in PICTURES:
            require_writable(args.svg / name, ".svg", "--svg")
        require({"matplotlib": "drawing --svg"}, "bench")


if __name__ == "__main__":
    cli.run(main)
