"""Options of ``build.py`` that a run would not heed: one line says where they apply."""

from __future__ import annotations

import argparse

from gateformer.gateware.plan.hw_config import MOST_STREAMS
from gateformer.model.contract.artifact import Artifact
from gateformer.model.contract.decoder.model import DecoderModel
from gateformer.model.support.errors import UserError
from gateformer.model.text.options import TEXT_OPTIONS, flag, given_options

from ..boards.board import boards
from ..boards.file import is_board_file
from ..boards.target import PROCESSOR, Board
from ..families.xc7 import XC7
from ..simulation.generation import refuse_too_large
from ..sizes.streamed.search import can_be_streamed
from ..support.defaults import AUTO
from .streamed import is_streamed, refuse_not_streamed
from .streamed_choice import refuse_on_chip, with_ports

_FOR_A_BOARD = ("toolchain", "baud", "program")
_FOR_THE_SIMULATION = ("check", "waveform", "cycles")
_INSTEAD_OF_A_BUILD = ("export", "firmware", "timeline", "check")
"""Each does one thing and ends the run; of two, the first one here counts."""
_HEEDED_BESIDE = {"check": ("seed",), "firmware": ("program", "toolchain")}
"""Options of a build that a run instead of it has a use for, too."""
_ONLY_BESIDE = {"cycles": "waveform", "position": "timeline", "fits": "list"}
_NOT_SYNTHESIZED = ("firmware", "timeline", "check")
_TRAINED_ONLY = ("rows", "cols", "packing", "reload", "cores")
_WITHOUT_A_CLOCK = {"timeline": "counts cycles", "check": "compares integers"}


def refuse_beside_list(arguments: argparse.Namespace) -> None:
    """UserError naming the first thing that was given beside ``--list``, which shows everything.

    A user's own board may be given, which is then shown by itself.
    """
    for name in given_options(arguments):
        own = name == "board" and is_board_file(arguments.board)
        if name not in ("list", "fits") and not own:
            given = arguments.board if name == "board" else flag(name)
            raise UserError(f"--list shows every board and model; leave {given} out")


def refuse_unheeded(target: Board, arguments: argparse.Namespace) -> None:
    """UserError naming the first option that has no effect with this board and these options.

    ``arguments`` as the parser of ``build.py`` gives them; an option that was not given is None
    or False.
    """
    given = set(given_options(arguments))
    with_ports(target, arguments.ports)
    simulated = target.budget is None
    if arguments.streams == AUTO:
        _refuse_beside_auto(target, arguments)
    if "firmware" in given and target.processor is None:
        if target.console == PROCESSOR and target.family.name != XC7.name:
            raise UserError(
                f"--firmware runs on the processor of a Zynq-7000, not on that of {target.name}; "
                "Linux drives the core there (docs/kv260.md)"
            )
        if target.console == PROCESSOR:
            raise UserError(
                f"--firmware: {target.argument} does not state its processor; add processor = "
                "(its clock in Hz, 0 or 1: which of its UARTs) to the class"
            )
        having = ", ".join(name for name, board in boards().items() if board.processor)
        raise UserError(
            f"--firmware is for a board with a processor ({having}), not for {target.name}"
        )
    for option in _FOR_A_BOARD if simulated else _FOR_THE_SIMULATION:
        if option in given:
            wanted = "a board" if simulated else "sim"
            raise UserError(f"--{option} is for {wanted}, not for {target.name}")
    _refuse_no_synthesis(target, given)
    if "check" in given and "out" in given:
        raise UserError("--check writes nothing; leave --out out")
    for mode in _INSTEAD_OF_A_BUILD:
        if mode in given:
            _refuse_beside(mode, given - {mode}, simulated)
            break
    refuse_alone(arguments)


def _refuse_beside_auto(target: Board, arguments: argparse.Namespace) -> None:
    if target.budget is None:
        raise UserError(
            f"--streams {AUTO} is for a board, which not everything fits; give {target.name} a "
            f"number of 1 to {MOST_STREAMS}"
        )
    if arguments.cores is not None:
        raise UserError(f"--streams {AUTO} chooses the cores, too; leave --cores out")
    if arguments.reload:
        raise UserError(
            f"a core that can be loaded with other models takes 1 stream, not {AUTO}: leave out "
            "--reload or --streams"
        )


def refuse_imported(artifact: Artifact, target: Board, arguments: argparse.Namespace) -> None:
    """UserError naming what an imported model (contract version 2) cannot become as yet."""
    model = artifact.model
    if not can_be_streamed(artifact.model, target):
        refuse_on_chip(artifact, target, arguments)
    if not isinstance(model, DecoderModel):
        return
    for option in _TRAINED_ONLY:
        if getattr(arguments, option) not in (None, False):
            raise UserError(
                f"{flag(option)} is for models that were trained here, and {artifact.name} is "
                "imported; leave it out"
            )
    if is_streamed(artifact, target):
        refuse_not_streamed(artifact, arguments)
    else:
        refuse_too_large(artifact)


def refuse_alone(arguments: argparse.Namespace) -> None:
    """UserError naming an option without the one that it is for, whatever the board."""
    given = given_options(arguments)
    for option, needed in _ONLY_BESIDE.items():
        if option in given and needed not in given:
            raise UserError(f"--{option} is for --{needed}; give both, or leave --{option} out")


def _refuse_no_synthesis(target: Board, given: set[str]) -> None:
    if "no_synthesis" not in given:
        return
    for mode in _NOT_SYNTHESIZED:
        if mode in given:
            raise UserError(f"--{mode} synthesizes nothing; leave --no-synthesis out")
    if target.budget is None and "export" not in given:  # exported as it is
        raise UserError(f"nothing is synthesized for {target.name}; leave --no-synthesis out")
    if "program" in given:
        raise UserError("--program needs a bitstream; leave --no-synthesis out")


def _refuse_beside(mode: str, others: set[str], simulated: bool) -> None:
    build = "text out of sim" if simulated else "a board's build"
    uses = dict.fromkeys((*_FOR_A_BOARD, *_FOR_THE_SIMULATION, *TEXT_OPTIONS), build)
    uses |= dict.fromkeys(_INSTEAD_OF_A_BUILD, "a run of its own")
    if mode != "timeline":
        uses["position"] = "--timeline"
    for option, use in uses.items():
        if option in others and option not in _HEEDED_BESIDE.get(mode, ()):
            raise UserError(f"{flag(option)} is for {use}, not for --{mode}; leave one of them out")
    if mode in _WITHOUT_A_CLOCK and "clock" in others:
        raise UserError(f"--{mode} {_WITHOUT_A_CLOCK[mode]}, whatever the clock; leave --clock out")
