"""Loading a bitstream into a board's fabric, and a program into its processor."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from gateformer.model.support.errors import UserError

from ..families.zynq_address import FIRMWARE_ADDRESS
from .nextpnr import environment_variable

FILE = "{file}"
"""In a programmer's options: the path of what is loaded."""


@dataclasses.dataclass(frozen=True)
class Programmer:
    """A command that loads the file whose path stands for :data:`FILE` in its options.

    An environment variable like ``OPENFPGALOADER`` replaces the command, as in amaranth-boards.
    """

    command: str
    options: tuple[str, ...] = (FILE,)

    def installed(self) -> str | None:
        """Path of the command, None if there is none."""
        return shutil.which(os.environ.get(environment_variable(self.command), self.command))

    def arguments(self, path: Path) -> list[str]:
        return [option.replace(FILE, str(path)) for option in self.options]

    def load(self, path: Path) -> int:
        """Run it; its status."""
        return subprocess.call([self.installed(), *self.arguments(path)])


def open_fpga_loader(board: str) -> Programmer:
    """openFPGALoader with its own name of the board: loads the fabric, not the flash memory."""
    return Programmer("openFPGALoader", ("-b", board, FILE))


FUJPROG = Programmer("fujprog")

_DIGILENT_USB = (
    *("adapter driver ftdi", "ftdi vid_pid 0x0403 0x6010", "ftdi channel 0"),
    *("ftdi layout_init 0x0088 0x008b", "reset_config none"),
)
_BY_OPENOCD = (
    *_DIGILENT_USB,
    "source [find target/zynq_7000.cfg]",
    *("init", "targets zynq.cpu0", "halt", f"load_image {{{FILE}}}"),
    *(f"verify_image {{{FILE}}}", f"resume {FIRMWARE_ADDRESS:#x}", "shutdown"),
)
_BY_XSDB = (
    "connect",
    'targets -set -nocase -filter {name =~ "ARM*#0"}',
    # its memory map is that of a project which there is none of
    *("configparams force-mem-access 1", "rst -processor"),
    *(f"dow {{{FILE}}}", "con", "disconnect"),
)
ZYNQ_PROGRAMMERS = (
    Programmer("openocd", tuple(part for step in _BY_OPENOCD for part in ("-c", step))),
    Programmer("xsdb", ("-eval", "; ".join(_BY_XSDB))),
)
"""Of the processor, whose memory and clocks the board's own boot code has set up."""


def check_programmers(
    programmers: Sequence[Programmer], board: str, option: str = "--program"
) -> None:
    """UserError if a board has no programmer, or none of its programmers is installed."""
    if not programmers:
        raise UserError(f"no programmer is known for {board}; leave --program out")
    if not any(programmer.installed() for programmer in programmers):
        names = " or ".join(programmer.command for programmer in programmers)
        raise UserError(f"{option} needs {names} on the PATH; install one, or leave --program out")


def program(programmers: Sequence[Programmer], path: Path, output: Console) -> None:
    """Load the file ``path`` by the first programmer that is installed; its output is shown.

    Raises UserError if there is no such file or the programmer fails.
    """
    if not path.exists():
        raise UserError(f"--program: there is no {path}; see the line above")
    for programmer in programmers:
        if programmer.installed() is None:
            continue
        status = programmer.load(path)
        if status:
            raise UserError(
                f"{programmer.command} failed with status {status}; is the board connected?"
            )
        output.print(f"loaded by {programmer.command}: {path}", markup=False, highlight=False)
        return
