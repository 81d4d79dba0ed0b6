"""``gateformer import``, and at its end a table of the boards that the model fits."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from gateformer.model.contract.decoder.model import DecoderModel
from gateformer.model.evaluation.decoder_evaluation import bytes_per_token
from gateformer.model.importing import command
from gateformer.model.support.cli import run
from gateformer.model.support.errors import UserError

from ...boards.board import Board
from ...boards.external_memory import USABLE
from ...support.progress import output_console
from ..named_board import boards_with_budget
from ..report import scarce, share_text, tokens_per_second
from ..search import Candidate, choose, room_taken, search_all
from .lanes import code_bits


def print_boards(model: DecoderModel, out: Console | None = None) -> None:
    """A table of the boards, or one line that says why there is none; takes a second or two."""
    out = out or output_console()
    try:
        found = search_all(model, boards_with_budget())
    except UserError as error:
        out.print(f"boards: none; {error}", markup=False, soft_wrap=True)
        return
    if any(candidates for _, candidates in found):
        out.print(boards_table(found))
        return
    out.print(memory_table(model, boards_with_budget()))


def memory_table(model: DecoderModel, boards: Sequence[Board]) -> Table:
    """Boards with an external memory for what block memories don't hold, and what it allows."""
    size, stored = bytes_per_token(model, position=0), code_bits(model) // 8
    table = Table(
        title="boards: weights, keys and values in external memory",
        caption=f"{size / 1e6:,.1f} MB per token and more with its position; tokens/s at most, of "
        f"{USABLE:.0%} of the memory's peak or, if that is less, all that its ports carry",
    )
    for heading in ("board", "memory", "tokens/s"):
        right = heading == "tokens/s"
        table.add_column(heading, no_wrap=heading == "board", justify="right" if right else "left")
    for board in boards:
        if board.memory is not None:
            clock = board.default_clock_mhz
            rate = board.memory.bytes_per_cycle(clock) * clock * 1e6
            held = board.memory.holds(stored, stored)
            most = f"{rate / size:,.1f}" if held else "too little room"
            table.add_row(board.label, board.memory.title, most)
    return table


def boards_table(found: Sequence[tuple[Board, Sequence[Candidate]]]) -> Table:
    """Of each board the fastest lanes that are predicted to fit, or what runs out."""
    table = Table(title="boards: predicted", caption="tokens/s at clocks that are assumed")
    for heading in ("board", "core", "clock", "mean cycles", "tokens/s", "LUTs", "block memories"):
        right = heading in ("mean cycles", "tokens/s")
        table.add_column(heading, no_wrap=heading == "board", justify="right" if right else "left")
    for board, candidates in found:
        chosen = choose(candidates)
        if chosen is None:
            table.add_row(board.label, f"too few {scarce(candidates)}")
            continue
        table.add_row(
            board.label,
            chosen.text,
            f"{board.default_clock_mhz:g} MHz",
            f"{chosen.cycles:,.0f}",
            f"{tokens_per_second(chosen, board):,.0f}",
            room_taken(chosen, board),
            share_text(chosen, "bram", board),
        )
    return table


def main() -> None:
    """Entry point; raises UserError."""
    command.main(then=print_boards)


if __name__ == "__main__":
    run(main)
