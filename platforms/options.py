"""Options of ``build.py`` that a run would not heed: one line says where they apply."""

from __future__ import annotations

from model.errors import UserError

from .board import boards
from .target import Board

_FOR_A_BOARD = ("toolchain", "baud", "program")
_FOR_THE_SIMULATION = ("check", "waveform", "cycles")
_INSTEAD_OF_A_BUILD = ("export", "firmware", "timeline", "check")
"""Each does one thing and ends the run; of two, the first one here counts."""


def refuse_unheeded(target: Board, arguments) -> None:
    """UserError naming the first option that has no effect with this board and these options.

    ``arguments`` as the parser of ``build.py`` gives them; an option that was not given is None
    or False.
    """
    given = {name for name, value in vars(arguments).items() if value is not None}
    given -= {name for name in given if getattr(arguments, name) is False}
    simulated = target.budget is None
    if "firmware" in given and target.processor is None:
        having = ", ".join(name for name, board in boards().items() if board.processor)
        raise UserError(
            f"--firmware is for a board with a processor ({having}), not for {target.name}"
        )
    for option in _FOR_A_BOARD if simulated else _FOR_THE_SIMULATION:
        if option in given:
            wanted = "a board" if simulated else "sim"
            raise UserError(f"--{option} is for {wanted}, not for {target.name}")
    for mode in _INSTEAD_OF_A_BUILD:
        if mode in given:
            _refuse_beside(mode, given - {mode}, simulated)
            break
    if "cycles" in given and "waveform" not in given:
        raise UserError("--cycles is for --waveform; give both, or leave --cycles out")
    if "position" in given and "timeline" not in given:
        raise UserError("--position is for --timeline; give both, or leave --position out")


def _refuse_beside(mode: str, others: set[str], simulated: bool) -> None:
    for option in (*_FOR_A_BOARD, *_FOR_THE_SIMULATION, *_INSTEAD_OF_A_BUILD):
        if option in others:
            run = "text out of sim" if simulated else "a board's build"
            if option in _INSTEAD_OF_A_BUILD:
                run = "a run of its own"
            raise UserError(f"--{option} is for {run}, not for --{mode}; leave one of them out")
    if mode == "timeline" and "clock" in others:
        raise UserError("--timeline counts cycles, whatever the clock; leave --clock out")
