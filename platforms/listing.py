"""``build.py --list``: boards and shipped models."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rich.console import Console
from rich.table import Table

from model.artifact import open_model

from .board import Board


def print_boards(boards: Mapping[str, Board], models: Iterable[str], console: Console) -> None:
    """Two tables: every board with what it has, every shipped model with its shape."""
    table = Table(title="boards")
    for heading in ("name", "board", "device", "clock", "LUT", "FF", "BRAM 36K", "DSP"):
        table.add_column(heading)
    for board in boards.values():
        budget = board.budget
        counts = ["–"] * 4
        if budget is not None:
            counts = [f"{n:,}" for n in (budget.lut, budget.ff, budget.bram36, budget.dsp)]
        clock = f"{board.default_clock_mhz:g} MHz"
        table.add_row(board.name, board.title, board.device or "–", clock, *counts)
    console.print(table)
    table = Table(title="models")
    for heading in ("name", "shape", "weights", "validation loss (integer, float)"):
        table.add_column(heading)
    for name in models:
        artifact = open_model(name)
        cfg, info = artifact.model.config, artifact.info
        shape = (
            f"{cfg.n_layers} layers, d {cfg.d_model}, {cfg.n_heads} heads, ffn {cfg.d_ff}, "
            f"context {cfg.ctx_len}, vocabulary {cfg.vocab_size}"
        )
        losses = [info.get("val_loss_int"), info.get("val_loss_float")]
        known = ", ".join("–" if loss is None else f"{loss:.4f}" for loss in losses)
        table.add_row(name, shape, f"{cfg.n_weights:,}", known)
    console.print(table)
