"""Netlist and resources of a whole top level after synthesis by yosys."""

from __future__ import annotations

import dataclasses
import functools
import json
import re
from pathlib import Path

from amaranth.build.run import BuildPlan
from amaranth.hdl import Elaboratable

from gateformer.model.support.cache import cached_file, digest
from gateformer.model.support.whole_file import write_whole

from ..boards.board import Board
from ..families.family import Family, Resources
from ..support import yosys

TOP = "top"
LOG_NAME = "yosys.log"
NETLIST_NAME = f"{TOP}.json"
_CELLS_NAME = "cells.json"
COUNTED = "2"
"""Changes when other things are counted in a netlist than were in those that are kept."""
_STATISTICS_NAME = "stat.json"

_TIMESTAMP = re.compile(r"^\[[0-9.]+\] ", re.MULTILINE)
"""Before every line of yosys' output, of ``stat -json`` too."""


@dataclasses.dataclass(frozen=True)
class Synthesis:
    """A synthesized module ``top``, in a directory of the cache."""

    directory: Path

    @property
    def netlist(self) -> Path:
        """Yosys' JSON: what nextpnr reads."""
        return self.directory / NETLIST_NAME

    @property
    def log(self) -> str:
        """What yosys printed."""
        return (self.directory / LOG_NAME).read_text(encoding="utf-8")

    @property
    def cells(self) -> dict[str, int]:
        """Number of each primitive, those included that place and route will add."""
        return json.loads((self.directory / _CELLS_NAME).read_text(encoding="utf-8"))


HIDE_ELEMENTS = "rename -hide */w:*[[]*"
"""Yosys command: no names for elements of arrays.

Amaranth calls the 32 bits of element 3 of ``x`` ``x[3]``, ABC9 calls bit 3 of ``x`` so, and takes
them for one; Yosys 0.70 then fails in abc_ops_reintegrate, or would connect what does not belong
together.
"""


def script(family: Family) -> str:
    """Yosys commands that make netlist, statistics and log of ``top.il``."""
    removed = "".join(f"delete t:{cell}\n" for cell in family.unplaceable)
    return (
        f"read_rtlil {TOP}.il\n"
        f"{HIDE_ELEMENTS}\n"
        f"tee -o {LOG_NAME} {family.synthesis}\n"
        f"{removed}"
        f"tee -q -o {_STATISTICS_NAME} stat -json\n"
        f"write_json {NETLIST_NAME}\n"
    )


@functools.lru_cache(maxsize=2)
def build_plan(top: Elaboratable, board: Board, toolchain: str) -> BuildPlan:
    """Files of the build directory; the same top is elaborated once per toolchain."""
    platform = board.build_platform(toolchain)
    return platform.prepare(top, TOP, nextpnr_opts=f"--freq {float(top.clock_mhz):g}")


def synthesize(top: Elaboratable, board: Board, build_dir: Path) -> Resources:
    """Resources of ``top`` on ``board`` by its family's synthesis; the log goes to ``build_dir``.

    Takes minutes for a design nobody has synthesized on this machine, then is kept by the digest
    of the design, the script and yosys' version. Raises ToolError if yosys fails, ValueError as
    :meth:`platforms.families.family.Family.count`.
    """
    result = synthesize_top(top, board)
    write_whole(Path(build_dir) / LOG_NAME, result.log)
    return board.family.count(result.cells)


def synthesize_top(top: Elaboratable, board: Board) -> Synthesis:
    """Synthesis of ``top`` for ``board``, the same for every toolchain; kept as above.

    From the RTLIL of the preferred toolchain: that of another one has other attributes only.
    """
    plan = build_plan(top, board, board.toolchains[0])
    return synthesize_rtlil(plan.files[f"{TOP}.il"], board.family)


def synthesize_rtlil(rtlil: str, family: Family) -> Synthesis:
    """Synthesis of a module ``top``, kept as :func:`synthesize` says."""
    commands = script(family)

    def make(work: Path, target: Path):
        target.mkdir()
        (target / f"{TOP}.il").write_text(rtlil, encoding="utf-8")
        yosys.run(commands, target)
        statistics = (target / _STATISTICS_NAME).read_text(encoding="utf-8")
        cells = json.loads(_TIMESTAMP.sub("", statistics))["design"]["num_cells_by_type"]
        netlist = json.loads((target / NETLIST_NAME).read_text(encoding="utf-8"))
        for name, number in family.packing(netlist).items():
            cells[name] = cells.get(name, 0) + number
        (target / _CELLS_NAME).write_text(json.dumps(cells), encoding="utf-8")
        (target / f"{TOP}.il").unlink()

    return Synthesis(
        cached_file(f"synthesis-{digest(rtlil, commands, COUNTED, yosys.version())}", make)
    )
