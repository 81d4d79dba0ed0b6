"""Loading a bitstream into a board."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from model.errors import UserError

from .nextpnr import environment_variable


@dataclasses.dataclass(frozen=True)
class Programmer:
    """A command that loads a bitstream, whose path is its last argument.

    An environment variable like ``OPENFPGALOADER`` replaces the command, as in amaranth-boards.
    """

    command: str
    options: tuple[str, ...] = ()

    def installed(self) -> str | None:
        """Path of the command, None if there is none."""
        return shutil.which(os.environ.get(environment_variable(self.command), self.command))


def open_fpga_loader(board: str) -> Programmer:
    """openFPGALoader with its own name of the board: loads the fabric, not the flash memory."""
    return Programmer("openFPGALoader", ("-b", board))


FUJPROG = Programmer("fujprog")


def check_programmers(programmers: Sequence[Programmer], board: str) -> None:
    """UserError if a board has no programmer, or none of its programmers is installed."""
    if not programmers:
        raise UserError(f"no programmer is known for {board}; leave --program out")
    if not any(programmer.installed() for programmer in programmers):
        names = " or ".join(programmer.command for programmer in programmers)
        raise UserError(f"--program needs {names} on the PATH; install one, or leave --program out")


def program(programmers: Sequence[Programmer], bitstream: Path, output: Console) -> None:
    """Load ``bitstream`` by the first programmer that is installed; its output is shown.

    Raises UserError if there is no bitstream or the programmer fails.
    """
    if not bitstream.exists():
        raise UserError(f"--program: there is no {bitstream}; see the line above")
    for programmer in programmers:
        command = programmer.installed()
        if command is None:
            continue
        status = subprocess.call([command, *programmer.options, str(bitstream)])
        if status:
            raise UserError(
                f"{programmer.command} failed with status {status}; is the board connected?"
            )
        output.print(f"loaded by {programmer.command}: {bitstream}", markup=False, highlight=False)
        return
