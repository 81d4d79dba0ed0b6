"""Speed of an imported model on this machine, beside llama.cpp: ``gateformer bench-decoder``."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from rich.table import Table

from ..contract.artifact import Artifact, open_model
from ..contract.decoder.model import DecoderModel
from ..support import cli
from ..support.cores import add_threads_option, default_threads
from ..support.directories import require_writable
from ..support.errors import UserError
from ..support.inputs import protecting, reading
from ..support.progress import track
from ..support.terminal import Terminal
from ..support.whole_file import write_whole
from .accelerator import ACCELERATOR, board_cycles, check_boards, how
from .bench import PLAIN_WIDTH
from .decoder_rows import BEGIN, DecoderRow, llama_row, stream_row
from .machine import load, machine, versions
from .measure import QUARTILES
from .redraw import FILE_SUFFIX
from .report import RATE_NAMES
from .rows import MEASURED, PROCESSOR_TIME
from .stepwise import processor_clock

SCHEMA_VERSION = 1
DEFAULT_TOKENS, MOST_TOKENS = 64, 2**16
DEFAULT_PROMPT = 256
DEFAULT_REPEATS, MOST_REPEATS = 5, 1000
WORK = {"step": "token by token", "prompt": "prompt"}


def _parser() -> argparse.ArgumentParser:
    parser = cli.ArgumentParser(
        prog="gateformer bench-decoder",
        description="Tokens per second of an imported model on this machine.",
    )
    add = parser.add_argument
    add("artifact", help="path of an artifact of gateformer import")
    add("--against", type=Path, metavar="FILE", help="GGUF of the same model, for llama.cpp")
    add(
        "--board",
        nargs="+",
        default=[],
        metavar="BOARD",
        help="with the accelerator there, by its cycles; a variant follows a colon: ulx3s:25F",
    )
    add_threads_option(parser, "of each")
    sizes = {
        "--tokens": (DEFAULT_TOKENS, MOST_TOKENS, f"fed one by one after {BEGIN}"),
        "--prompt-tokens": (DEFAULT_PROMPT, MOST_TOKENS, "read at once"),
        "--repeats": (DEFAULT_REPEATS, MOST_REPEATS, "in turn; the medians are shown"),
    }
    for option, (default, most, what) in sizes.items():
        number = cli.within(int, 1, most)
        add(option, type=number, default=default, metavar="N", help=f"{what} (default: {default})")
    add("--json", type=Path, metavar="FILE", help="write all figures")
    return parser


@protecting
def main(argv: list[str] | None = None) -> None:
    """Entry point; raises UserError and ToolError."""
    args = _parser().parse_args(argv)
    reading(artifact=args.artifact, against=args.against)
    if args.json is not None:
        require_writable(args.json, FILE_SUFFIX, "--json")
    if args.board:
        check_boards(args.board)
    artifact = open_model(args.artifact, imported=True)
    if not isinstance(artifact.model, DecoderModel):
        raise UserError(f"{artifact.name} was trained here; its speed is gateformer bench's")
    threads = default_threads() if args.threads is None else args.threads
    tokens = _tokens(artifact, args.prompt_tokens, args.tokens)
    rows = [stream_row(artifact.model, threads)]
    if args.against is not None:
        rows.append(llama_row(args.against, artifact.model, threads))
    boards = _accelerators(args.artifact, args.board, args.tokens)
    facts = {
        "model": artifact.name,
        "digest": artifact.model.digest,
        "threads": threads,
        "tokens": args.tokens,
        "prompt_tokens": args.prompt_tokens,
        "repeats": args.repeats,
        "how": PROCESSOR_TIME if threads == 1 else MEASURED,
        "machine": {**machine(), "load_before": load()},
        "versions": versions(),
    }
    clock = processor_clock if threads == 1 else time.perf_counter
    rates = _measure(rows, tokens, args.prompt_tokens, args.tokens, args.repeats, clock)
    output = Terminal()
    output = output if output.is_terminal else Terminal(width=PLAIN_WIDTH)
    output.print(_table(rows, rates, boards, facts))
    if args.json is not None:
        content = {"schema_version": SCHEMA_VERSION, **facts, "rows": _documents(rows, rates)}
        content["rows"] += boards
        write_whole(args.json, json.dumps(content, indent=1) + "\n")


def _tokens(artifact: Artifact, prompt: int, count: int) -> list[int]:
    """Any tokens: enough for both, from the beginning of a context each."""
    cfg = artifact.model.config
    for option, needed in (("--prompt-tokens", prompt), ("--tokens", BEGIN + count)):
        if needed > cfg.ctx_len:
            raise UserError(
                f"{option}: {needed} tokens are more than the context of {cfg.ctx_len}; give fewer"
            )
    length = max(prompt, BEGIN + count)
    return np.random.default_rng(0).integers(0, cfg.vocab_size, length).tolist()


def _accelerators(model: str, boards: list[str], count: int) -> list[dict]:
    """A row of every board, as in the file, for the same ``count`` tokens; without one, a line says
    why."""
    rows = []
    for board in boards:
        try:
            found = board_cycles(model, board)
        except UserError as error:
            left_out = f"{ACCELERATOR}, {board} left out: {error}"
            Terminal(stderr=True).print(left_out, markup=False, soft_wrap=True)
            continue
        cycles = sum(found["cycles"][BEGIN : BEGIN + count])
        rate = count * found["clock_mhz"] * 1e6 / cycles
        rows.append(
            {
                "key": f"{ACCELERATOR}-{found['board']}",
                "label": f"{found['title']}, {found['lanes']} lanes: {how(found)}",
                "tokens_per_second": {"step": dict.fromkeys(RATE_NAMES, rate)},
            }
        )
    return rows


def _measure(
    rows: list[DecoderRow],
    tokens: list[int],
    prompt: int,
    count: int,
    repeats: int,
    clock: Callable[[], float],
) -> dict[str, dict[str, np.ndarray]]:
    """Quartiles [3] of tokens per second by row and kind of work, in turn, after one unmeasured."""
    found: dict[str, list] = {row.key: [] for row in rows}
    turns = [row for _ in range(repeats + 1) for row in rows]
    for row in track(turns, "measuring", Terminal(stderr=True)):
        read, steps = row.timed(tokens, prompt, count, clock)
        found[row.key].append((count / steps, prompt / read))
    quartiles = {
        key: np.quantile(np.array(rates[1:]), QUARTILES, axis=0) for key, rates in found.items()
    }
    return {key: dict(zip(WORK, rates.T, strict=True)) for key, rates in quartiles.items()}


def _table(rows: list[DecoderRow], rates: dict, boards: list[dict], facts: dict) -> Table:
    what = facts["machine"]
    table = Table(
        title=f"{facts['model']}: {facts['tokens']} tokens one by one, {facts['prompt_tokens']} at "
        f"once, threads: {facts['threads']}, {facts['repeats']} repeats",
        caption=f"{facts['how']}; {what['processor']}, {what['c_compiler']}; load "
        f"{what['load_before']}",
    )
    table.add_column("tokens per second, and quartiles", overflow="fold")
    for kind in WORK.values():
        table.add_column(kind, justify="right")
    for row in rows:
        quartiles = rates[row.key].values()
        cells = (f"{median:,.1f} ({low:,.1f} … {high:,.1f})" for low, median, high in quartiles)
        table.add_row(row.label, *cells)
    if len(rows) > 1:
        ours, theirs = (rates[row.key] for row in rows)
        times = (f"{ours[kind][1] / theirs[kind][1]:.2f} ×" for kind in WORK)
        table.add_row("ratio of the medians", *times)
    for board in boards:
        rate, *_ = board["tokens_per_second"]["step"].values()
        table.add_row(board["label"], f"{rate:,.1f}", "not counted")
    return table


def _documents(rows: list[DecoderRow], rates: dict) -> list[dict]:
    return [
        {
            "key": row.key,
            "label": row.label,
            "tokens_per_second": {
                kind: dict(zip(RATE_NAMES, values.tolist(), strict=True))
                for kind, values in rates[row.key].items()
            },
        }
        for row in rows
    ]


if __name__ == "__main__":
    cli.run(main)
