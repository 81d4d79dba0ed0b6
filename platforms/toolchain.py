"""Toolchains: which there are, which are installed, and the build directory that they run in."""

from __future__ import annotations

import dataclasses
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from amaranth.hdl import Elaboratable

from model.errors import UserError

from .board import Board
from .cache import write_atomically
from .nextpnr import Ecp5ByNextpnr, GowinByNextpnr, environment_variable
from .progress import working
from .synthesis import NETLIST_NAME, TOP, build_plan, synthesize_rtlil
from .yosys import ToolError, run_tool

LOG_NAME = "toolchain.log"


@dataclasses.dataclass(frozen=True)
class Toolchain:
    """Tools that turn a build directory into a bitstream.

    Attributes
    ----------
    tools : mapping of str to tuple of str
        Commands, each with those that may stand for it, the preferred one first.
    install : str
        What to do to have them, as in "no bitstream yet: …".
    bitstream_suffix : str
    """

    tools: Mapping[str, tuple[str, ...]]
    install: str
    bitstream_suffix: str = ".bit"

    def found(self) -> dict[str, str | None]:
        """Path of each tool, None if it is not installed.

        As in amaranth's scripts, an environment variable like ``VIVADO`` or ``NEXTPNR_XILINX``
        replaces the command. Besides the PATH, the directory of this Python is searched: tools
        that pip installed in a virtual environment work without activating it.
        """
        return {tool: _find(tool, commands) for tool, commands in self.tools.items()}

    def missing(self) -> list[str]:
        """Tools that are not installed."""
        return [tool for tool, path in self.found().items() if path is None]


def _find(tool: str, commands: tuple[str, ...]) -> str | None:
    given = os.environ.get(environment_variable(tool))
    search = os.pathsep.join((os.environ.get("PATH", ""), os.path.dirname(sys.executable)))
    for command in (given,) if given else commands:
        path = shutil.which(command, path=search)
        if path is not None:
            return path
    return None


def _alone(*tools: str) -> dict[str, tuple[str, ...]]:
    return {tool: (tool,) for tool in tools}


_XC7 = {
    "vivado": Toolchain(_alone("vivado"), "install Vivado (AMD's free Standard edition suffices)"),
    "openxc7": Toolchain(
        _alone("yosys", "nextpnr-xilinx", "fasm2frames", "xc7frames2bit"),
        "install openXC7 (https://github.com/openXC7)",
    ),
}
_TOOLCHAINS = {
    "xc7": _XC7,
    "ecp5": {
        "nextpnr": Toolchain(Ecp5ByNextpnr.tools, "pip install 'gateformer[ecp5]'"),
    },
    "gowin": {
        "nextpnr": Toolchain(
            GowinByNextpnr.tools,
            "pip install 'gateformer[gowin]'",
            GowinByNextpnr.bitstream_suffix,
        ),
    },
}


def toolchain(board: Board, name: str) -> Toolchain:
    """The toolchain called ``name`` for a board's family."""
    return _TOOLCHAINS[board.family.name][name]


@dataclasses.dataclass(frozen=True)
class Project:
    """A build directory that its toolchain can turn into a bitstream, unattended.

    Attributes
    ----------
    directory : Path
    board : Board
    toolchain : str
    files : list of Path
        Design, constraints and scripts.
    """

    directory: Path
    board: Board
    toolchain: str
    files: list[Path]

    @property
    def tools(self) -> Toolchain:
        return toolchain(self.board, self.toolchain)

    @property
    def script(self) -> str:
        """Name of the script that makes the bitstream."""
        return f"build_{TOP}.sh"

    @property
    def bitstream(self) -> Path:
        return self.directory / f"{TOP}{self.tools.bitstream_suffix}"


def choose_toolchain(board: Board, wanted: str | None = None) -> str:
    """``wanted``, or else the first one that is installed, or else the board's preferred one.

    Raises UserError if the board does not know ``wanted``.
    """
    if wanted is None:
        installed = [name for name in board.toolchains if not toolchain(board, name).missing()]
        return (*installed, *board.toolchains)[0]
    if wanted not in board.toolchains:
        known = ", ".join(board.toolchains)
        raise UserError(f"unknown toolchain {wanted!r} for {board.name}; known: {known}")
    return wanted


def write_project(
    top: Elaboratable, board: Board, directory: Path, toolchain: str | None = None
) -> Project:
    """Write the complete build directory; needs none of the toolchain's tools.

    A file that is there already with the same content keeps its time, by which reports are
    known to be this design's. Raises UserError as :func:`choose_toolchain`.
    """
    chosen = choose_toolchain(board, toolchain)
    plan = build_plan(top, board, chosen)
    directory.mkdir(parents=True, exist_ok=True)
    contents = dict(plan.files)
    if chosen == "nextpnr":
        netlist = synthesize_rtlil(plan.files[f"{TOP}.il"], board.family).netlist
        contents[NETLIST_NAME] = netlist.read_text(encoding="utf-8")
    files = []
    for name, content in contents.items():
        path = directory / name
        text = content if isinstance(content, str) else content.decode()
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            write_atomically(path, text)
        files.append(path)
    return Project(directory, board, chosen, files)


def run_script(project: Project) -> Path:
    """Run the vendor's tools to the bitstream, whose path is returned; the log is kept beside it.

    Raises ToolError if a tool fails or leaves no bitstream.
    """
    with working(f"{project.toolchain}: place, route and bitstream"):
        log = run_tool(["sh", project.script], project.directory)
    write_atomically(project.directory / LOG_NAME, log)
    if not project.bitstream.exists():
        raise ToolError(f"{project.toolchain} left no {project.bitstream}")
    return project.bitstream


def advice(project: Project, missing: list[str]) -> str:
    """One line: what to install, and which command then finishes."""
    install = project.tools.install
    command = f"cd {project.directory} && sh {project.script}"
    if install.startswith("pip"):
        return f"no bitstream yet: {', '.join(missing)} not found; {install}, then run: {command}"
    return (
        f"no bitstream yet: {install} so that {', '.join(missing)} "
        f"{'is' if len(missing) == 1 else 'are'} on the PATH, then run: {command}"
    )
