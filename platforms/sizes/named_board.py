"""Boards as commands that take several name them: with the variant behind a colon."""

from __future__ import annotations

from gateformer.model.support.errors import UserError

from ..boards.board import Board, board, boards
from ..boards.file import is_board_file


def split(text: str) -> tuple[str, str | None]:
    """Board and variant of ``ulx3s:25F``; a board file's colon is before its class."""
    if is_board_file(text):
        return text, None
    name, _, variant = text.partition(":")
    return name, variant or None


def named_board(text: str, *, synthesized: bool = False) -> Board:
    """The board of ``ulx3s``, ``ulx3s:25F`` or a board file; UserError if there is none, or with
    ``synthesized`` no device."""
    name, variant = split(text)
    if variant is not None and not board(name, synthesized=synthesized).variants:
        raise UserError(f"{name} has no variants; leave :{variant} out")
    return board(name, variant, synthesized=synthesized)


def boards_with_budget() -> list[Board]:
    """All that a design is built for, their variants one by one."""
    built = [known for known in boards().values() if known.budget is not None]
    return [variant for known in built for variant in (known.variants.values() or [known])]
