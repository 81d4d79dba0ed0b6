"""Toolchains: which there are, and which are installed."""

from __future__ import annotations

import dataclasses
import os
import shutil
import sys
from collections.abc import Callable, Mapping

from gateformer.model.support.optional import install_command

from ..boards.board import Board
from ..boards.nextpnr import Ecp5ByNextpnr, GowinByNextpnr, environment_variable
from ..boards.xilinx_platform import OPENXC7_TOOLS
from ..families import ecp5, gowin
from ..families.family import Family
from ..families.xc7 import OPENXC7
from . import openxc7_rules


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
    family : Family or None
        What is synthesized for, if it is not the board's family as such.
    limits : mapping of resource to share of the device
        What can be used of a resource, if that is less than the device has; the resources are
        those of :data:`platforms.families.toolchain_limits.LIMITED`.
    clock_mhz : float or None
        Default clock, if it is not the board's.
    remarks : tuple of str
        What a report has to say besides, a sentence each.
    rules : function of (netlist, board) to
    :class:`platforms.place_and_route.openxc7_rules.RulesReport`, or None
        Whether yosys' JSON is something that the tools can place and route.
    products : tuple of str
        Suffixes of what is made beside the bitstream.
    """

    tools: Mapping[str, tuple[str, ...]]
    install: str
    bitstream_suffix: str = ".bit"
    family: Family | None = None
    limits: Mapping[str, float] = dataclasses.field(default_factory=dict)
    clock_mhz: float | None = None
    remarks: tuple[str, ...] = ()
    rules: Callable[[dict, Board], openxc7_rules.RulesReport] | None = None
    products: tuple[str, ...] = ()

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


_VIVADO = Toolchain(_alone("vivado"), "install Vivado (AMD's free Standard edition suffices)")
_XC7 = {
    "vivado": _VIVADO,
    "openxc7": Toolchain(
        _alone(*OPENXC7_TOOLS),
        "install openXC7 (https://github.com/openXC7), set CHIPDB_DIR and DB_DIR to the "
        "directories of its chip databases and of prjxray-db,",
        family=OPENXC7,
        limits=openxc7_rules.LIMITS,
        clock_mhz=50.0,
        remarks=openxc7_rules.REMARKS,
        rules=openxc7_rules.check_board,
    ),
}
_TOOLCHAINS = {
    "xc7": _XC7,
    "xcup": {"vivado": _VIVADO},
    "ecp5": {
        "nextpnr": Toolchain(
            Ecp5ByNextpnr.tools,
            install_command("ecp5"),
            products=Ecp5ByNextpnr.products,
            remarks=(ecp5.UNTIMED,),
        ),
    },
    "gowin": {
        "nextpnr": Toolchain(
            GowinByNextpnr.tools,
            install_command("gowin"),
            GowinByNextpnr.bitstream_suffix,
            remarks=(gowin.UNTIMED,),
        ),
    },
}


def toolchain(board: Board, name: str) -> Toolchain:
    """The toolchain called ``name`` for a board's family."""
    return _TOOLCHAINS[board.family.name][name]


def placer(board: Board, name: str) -> str:
    """The tool of a toolchain that places and routes: "nextpnr-ecp5", "vivado"."""
    tools = list(toolchain(board, name).tools)
    return next((tool for tool in tools if tool.startswith("nextpnr")), tools[0])


def made_suffixes() -> list[str]:
    """Of everything that some toolchain makes: bitstreams and their other forms."""
    every = (tools for family in _TOOLCHAINS.values() for tools in family.values())
    return [suffix for tools in every for suffix in (tools.bitstream_suffix, *tools.products)]
