"""What ``gateformer fit --streams auto`` prints."""

from __future__ import annotations

from rich.console import Console

from gateformer.model.contract.artifact import Artifact
from gateformer.model.contract.decoder.model import DecoderModel
from gateformer.model.support.errors import UserError

from ...boards.board import Board
from ..report import candidates_table, clock_text, explanation
from ..search import Candidate, search
from .search import GAIN, best_together


def refuse_imported(artifact: Artifact, option: str) -> None:
    """UserError naming the option if the model's core is not one of several streams or cores."""
    if isinstance(artifact.model, DecoderModel):
        raise UserError(
            f"--{option} is for models that were trained here, and {artifact.name} is imported; "
            "leave it out"
        )


def print_together(artifact: Artifact, board: Board, out: Console) -> list[Candidate]:
    """A line for each of :func:`.search.best_together`, the last one marked, or why there is none.

    Those, or else the candidates of which none fits.
    """
    name, found = artifact.name, best_together(artifact.model, board)
    if not found:
        candidates = search(artifact.model, board)
        out.print(explanation(candidates, board), soft_wrap=True)
        return candidates
    table = candidates_table(
        found,
        found[-1],
        board,
        cycles="cycles per token",
        title=f"{name} on {board.title}: streams and cores",
        caption=f"of all streams together, at {clock_text(found, board)}",
    )
    out.print(table)
    out.print(
        f"each is at least {GAIN:.0%} faster than those before; more streams or cores are not, or "
        "do not fit",
        soft_wrap=True,
    )
    return found
