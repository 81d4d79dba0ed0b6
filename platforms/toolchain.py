"""Build directory of a board, and the vendor's or openXC7's tools on it if they are installed."""

from __future__ import annotations

import dataclasses
import os
import shutil
from pathlib import Path

from amaranth.hdl import Elaboratable
from rich.console import Console

from model.errors import UserError

from .board import Board
from .cache import write_atomically
from .progress import working
from .synthesis import TOP, build_plan
from .yosys import ToolError, run_tool

_TOOLS = {
    "vivado": ("vivado",),
    "openxc7": ("yosys", "nextpnr-xilinx", "fasm2frames", "xc7frames2bit"),
}
_INSTALL = {
    "vivado": "Vivado (AMD's free Standard edition suffices)",
    "openxc7": "openXC7 (https://github.com/openXC7)",
}
LOG_NAME = "toolchain.log"


@dataclasses.dataclass(frozen=True)
class Project:
    """A build directory that its toolchain can turn into a bitstream, unattended.

    Attributes
    ----------
    directory : Path
    toolchain : str
    files : list of Path
        Design (Verilog and RTLIL), constraints and scripts.
    """

    directory: Path
    toolchain: str
    files: list[Path]

    @property
    def bitstream(self) -> Path:
        return self.directory / f"{TOP}.bit"


def missing_tools(toolchain: str) -> list[str]:
    """Commands of the toolchain that are not on the PATH.

    As amaranth's scripts do, an environment variable like ``VIVADO`` or ``NEXTPNR_XILINX``
    replaces the command.
    """
    commands = {
        tool: os.environ.get(tool.upper().replace("-", "_"), tool) for tool in _TOOLS[toolchain]
    }
    return [tool for tool, command in commands.items() if shutil.which(command) is None]


def choose_toolchain(board: Board, wanted: str | None = None) -> str:
    """``wanted``, or else the first one that is installed, or else the board's preferred one.

    Raises UserError if the board does not know ``wanted``.
    """
    if wanted is None:
        installed = [name for name in board.toolchains if not missing_tools(name)]
        return (*installed, *board.toolchains)[0]
    if wanted not in board.toolchains:
        known = ", ".join(board.toolchains)
        raise UserError(f"unknown toolchain {wanted!r} for {board.name}; known: {known}")
    return wanted


def write_project(
    top: Elaboratable, board: Board, directory: Path, toolchain: str | None = None
) -> Project:
    """Write the complete build directory; needs none of the toolchain's tools.

    Raises UserError as :func:`choose_toolchain`.
    """
    chosen = choose_toolchain(board, toolchain)
    plan = build_plan(top, board, chosen)
    directory.mkdir(parents=True, exist_ok=True)
    files = [directory / name for name in plan.files]
    for path, content in zip(files, plan.files.values(), strict=True):
        write_atomically(path, content)
    return Project(directory, chosen, files)


def run_toolchain(project: Project) -> Path:
    """Run the toolchain to the bitstream, whose path is returned; the log is kept beside it.

    Raises ToolError if a tool fails or leaves no bitstream.
    """
    with working(f"{project.toolchain}: place, route and bitstream"):
        log = run_tool(["sh", f"build_{TOP}.sh"], project.directory)
    write_atomically(project.directory / LOG_NAME, log)
    if not project.bitstream.exists():
        raise ToolError(f"{project.toolchain} left no {project.bitstream}")
    return project.bitstream


def finish(project: Project, output: Console) -> None:
    """Go on to the bitstream, or say in one line what to install and which command finishes."""
    missing = missing_tools(project.toolchain)
    if missing:
        output.print(
            f"no bitstream yet: install {_INSTALL[project.toolchain]} so that "
            f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} on the PATH, "
            f"then run: cd {project.directory} && sh build_{TOP}.sh",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
        return
    output.print(f"bitstream: {run_toolchain(project)}", markup=False, highlight=False)
