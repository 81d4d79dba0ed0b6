"""A board as one of its toolchains can use it."""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path

from ..boards.board import Board
from .project import choose_toolchain
from .toolchain import toolchain


def for_toolchain(board: Board, wanted: str | None = None, directory: Path | None = None) -> Board:
    """``board`` with what :func:`platforms.place_and_route.project.choose_toolchain` chooses as
    its only toolchain.

    Where the toolchain says so, with another family of multipliers, other commands of synthesis,
    less of the device to use, and another default clock. The simulation stays as it is. Raises
    UserError as :func:`platforms.place_and_route.project.choose_toolchain`.
    """
    if not board.toolchains:
        return board
    name = choose_toolchain(board, wanted, directory)
    chosen = toolchain(board, name)
    changes: dict = {"toolchains": (name,), "limits": chosen.limits}
    if chosen.clock_mhz is not None:
        changes["default_clock_mhz"] = chosen.clock_mhz
    if chosen.family is not None:
        changes["family"] = chosen.family
        changes["build_top"] = functools.partial(board.build_top, dsp=chosen.family.dsp)
    return dataclasses.replace(board, **changes)
