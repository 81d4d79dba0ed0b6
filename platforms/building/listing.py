"""``build.py --list``: boards, shipped models, and, if asked for, which fits where."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from rich.console import Console
from rich.table import Table

from gateformer.model.contract.artifact import Artifact, open_model
from gateformer.model.contract.decoder.model import DecoderModel
from gateformer.model.support.counted import counted
from gateformer.model.support.errors import UserError

from ..boards.board import Board
from ..place_and_route.toolchain import toolchain
from ..sizes.candidates import sizes_text
from ..sizes.search import room_taken, search
from ..sizes.sizing import choose_sizes
from ..support.progress import working

DISPENSABLE = ("console", "device", "BRAM", "DSP", "LUT", "clock")
"""Columns that a narrow terminal goes without, the first one first."""
NARROW = 60
"""Columns of a terminal with less room than the models' losses want."""
MOST = 1000
"""Columns that every table fits into."""


def print_boards(
    boards: Mapping[str, Board], models: Iterable[str], console: Console, *, fits: bool
) -> None:
    """Two tables, boards with what they have and models; with ``fits`` which fits where, between.

    That takes a minute for models that were not searched before on this machine.
    """
    targets = list(_with_variants(boards))
    artifacts = {name: open_model(name, imported=True) for name in models}
    console.print(_boards_table(targets, console))
    if fits:
        console.print(_fit_table(targets, artifacts))
    console.print(_models_table(artifacts, console))


def _with_variants(boards: Mapping[str, Board]) -> Iterator[tuple[str, Board]]:
    """Every target with the arguments that name it."""
    for name, board in boards.items():
        if not board.variants:
            yield name, board
        for variant, other in board.variants.items():
            is_default = variant == other.default_variant
            yield (f"{name} ({variant})" if is_default else f"{name} --variant {variant}"), other


def _boards_table(targets, console: Console | None = None) -> Table:
    """Without the columns that matter least, if the console is too narrow for all."""
    left_out: list[str] = []
    table = _boards(targets, left_out)
    while console and len(left_out) < len(DISPENSABLE) and _is_too_wide(table, console):
        left_out.append(DISPENSABLE[len(left_out)])
        table = _boards(targets, left_out)
    return table


def _is_too_wide(table: Table, console: Console) -> bool:
    return console.measure(table, options=console.options.update(width=MOST)).maximum > (
        console.width
    )


def _boards(targets, left_out: list[str]) -> Table:
    remarks = []
    if any(board.variants for _, board in targets):
        remarks.append("in parentheses: the variant if --variant is not given")
    if "clock" not in left_out and any(board.clock_assumed for _, board in targets):
        remarks.append("assumed: a clock that nothing here has placed and routed")
    if left_out:
        remarks.append(f"a wider terminal shows {', '.join(left_out)}")
    table = Table(title="boards", caption="; ".join(remarks) or None)
    headings = ("name", "device", "clock", "LUT", "BRAM", "DSP", "console", "toolchains")
    for heading in headings:
        if heading not in left_out:
            table.add_column(heading, overflow="fold", no_wrap=heading != "device")
    for name, board in targets:
        counts = ["–"] * 3
        if board.budget is not None:
            family, budget = board.family, board.budget
            counts = [
                f"{budget.lut:,} {family.lut_unit}",
                f"{budget.bram} × {family.bram_unit}",
                f"{budget.dsp} {family.dsp_unit}",
            ]
        tools = "\n".join(_toolchain_state(board, chain) for chain in board.toolchains)
        cells = (
            name,
            board.device or "–",
            board.clock_text,
            *counts,
            board.console or "–",
            tools or "✓ built in",
        )
        shown = zip(headings, cells, strict=True)
        table.add_row(*(cell for heading, cell in shown if heading not in left_out))
    return table


def _toolchain_state(board: Board, name: str) -> str:
    return f"✗ {name}" if toolchain(board, name).missing() else f"✓ {name}"


def _fit_table(targets, artifacts: Mapping[str, Artifact]) -> Table:
    table = Table(title="weights per cycle, INT8 lanes, packing")
    table.add_column("name", no_wrap=True, overflow="fold")
    for model in artifacts:
        table.add_column(model)
    with working("finding the sizes that fit") as show:
        for name, board in targets:
            cells = []
            for model, artifact in artifacts.items():
                show(f"finding the sizes of {model} that fit {name}")
                cells.append(_fit(artifact, board))
            table.add_row(name, *cells)
    return table


def _fit(artifact: Artifact, board: Board) -> str:
    try:
        hw = choose_sizes(artifact.model, board)
    except UserError as error:
        return f"✗ {str(error).partition(': ')[2].partition(';')[0]}"
    text = f"✓ {sizes_text(hw, isinstance(artifact.model, DecoderModel))}"
    if board.budget is None:
        return text
    chosen = next(c for c in search(artifact.model, board) if c.hw == hw)
    return f"{text}: {room_taken(chosen, board)}"


def _models_table(artifacts: Mapping[str, Artifact], console: Console) -> Table:
    narrow = console.width < NARROW
    table = Table(title="models", caption="a wider terminal shows losses" if narrow else None)
    for heading in ("name", "shape", "parameters", "validation loss (integer, float)"):
        if not (narrow and heading.startswith("validation")):
            table.add_column(heading, no_wrap=heading == "name", overflow="fold")
    for name, artifact in artifacts.items():
        cfg, info = artifact.model.config, artifact.info
        shape = (
            f"{counted(cfg.n_layers, 'layer')}, d {cfg.d_model:,}, {counted(cfg.n_heads, 'head')}, "
            f"ffn {cfg.d_ff:,}, context {cfg.ctx_len:,}, vocabulary {cfg.vocab_size:,}"
        )
        losses = [info.get("val_loss_int"), info.get("val_loss_float")]
        known = ", ".join("–" if loss is None else f"{loss:.4f}" for loss in losses)
        if info.get("corpus"):
            known += f" on {info['corpus']['name']}"
        table.add_row(name, shape, f"{cfg.n_weights:,}", *([] if narrow else [known]))
    return table
