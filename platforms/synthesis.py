"""Resources of a whole top level, counted after synthesis by yosys.

Sources: UG474, "7 Series FPGAs CLB" (LUTs per distributed memory and shift register); UG473
(a RAMB18E1 is half a block memory); UG953, "7 Series Libraries Guide" (primitives).
"""

from __future__ import annotations

import dataclasses
import functools
import json
import re
from collections.abc import Mapping
from pathlib import Path

from amaranth.build.run import BuildPlan
from amaranth.hdl import Elaboratable

from . import yosys
from .board import Board, Budget
from .cache import cached_file, digest, write_atomically

TOP = "top"
LOG_NAME = "yosys.log"

_SCRIPT = f"""\
read_rtlil {TOP}.il
tee -q -o {LOG_NAME} synth_xilinx -family xc7 -flatten -top {TOP}
tee -q -o stat.json stat -json
"""
_TIMESTAMP = re.compile(r"^\[[0-9.]+\] ", re.MULTILINE)
"""Before every line of yosys' output, of ``stat -json`` too."""

_LUTS = {
    **dict.fromkeys(("LUT1", "LUT2", "LUT3", "LUT4", "LUT5", "LUT6", "LUT6_2", "CFGLUT5"), 1),
    **dict.fromkeys(("SRL16", "SRL16E", "SRLC16", "SRLC16E", "SRLC32E"), 1),
    **dict.fromkeys(("RAM16X1S", "RAM32X1S", "RAM64X1S"), 1),
    **dict.fromkeys(("RAM16X1D", "RAM32X1D", "RAM64X1D", "RAM32X2S", "RAM128X1S"), 2),
    **dict.fromkeys(("RAM32M", "RAM64M", "RAM128X1D", "RAM256X1S"), 4),
}
_FLIP_FLOPS = {
    name + edge: 1
    for name in ("FDRE", "FDSE", "FDCE", "FDPE", "LDCE", "LDPE")
    for edge in ("", "_1")
}
_BRAM36 = {"RAMB36E1": 1.0, "RAMB18E1": 0.5}
_DSP = {"DSP48E1": 1}
_INVERTER = "INV"
"""Absorbed by the LUT or the register behind it."""
_FREE = {
    *("CARRY4", "MUXF7", "MUXF8", "VCC", "GND", "$scopeinfo"),
    *("IBUF", "IBUFG", "OBUF", "OBUFT", "IOBUF", "BUFG", "BUFGCTRL"),
    *("MMCME2_BASE", "MMCME2_ADV", "PLLE2_BASE", "PLLE2_ADV", "PS7", "STARTUPE2"),
}
"""Resources of their own kind, of which these designs use a few."""


@dataclasses.dataclass(frozen=True)
class Resources:
    """What a synthesized design takes.

    Attributes
    ----------
    lut : int
        LUTs as logic, distributed memory and shift registers.
    ff : int
        Flip-flops and latches.
    bram36 : float
        Block memories of 36 Kb, in halves.
    dsp : int
    detail : dict of primitive to count
    """

    lut: int
    ff: int
    bram36: float
    dsp: int
    detail: dict[str, int]

    @property
    def inverters(self) -> int:
        """INV cells, which take no LUT of their own."""
        return self.detail.get(_INVERTER, 0)

    def as_dict(self) -> dict[str, float]:
        """The four counts by the names of :class:`.board.Budget`."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(Budget)}

    def exceeding(self, budget: Budget) -> list[tuple[str, float, int]]:
        """(resource, used, available) of each resource of which the device has too few."""
        counts = [(name, used, getattr(budget, name)) for name, used in self.as_dict().items()]
        return [count for count in counts if count[1] > count[2]]


def count_resources(cells: Mapping[str, int]) -> Resources:
    """Resources of a netlist of 7-series primitives.

    Raises ValueError naming the primitives whose cost is not known here.
    """
    known = {*_LUTS, *_FLIP_FLOPS, *_BRAM36, *_DSP, *_FREE, _INVERTER}
    unknown = sorted(set(cells) - known)
    if unknown:
        raise ValueError(f"no cost known for {', '.join(unknown)}; add it to platforms.synthesis")

    def total(costs):
        return sum(cost * cells.get(name, 0) for name, cost in costs.items())

    return Resources(
        lut=total(_LUTS),
        ff=total(_FLIP_FLOPS),
        bram36=total(_BRAM36),
        dsp=total(_DSP),
        detail=dict(cells),
    )


@functools.lru_cache(maxsize=2)
def build_plan(top: Elaboratable, board: Board, toolchain: str) -> BuildPlan:
    """Files of the build directory; the same top is elaborated once per toolchain."""
    platform = board.build_platform(toolchain)
    return platform.prepare(top, TOP, nextpnr_opts=f"--freq {float(top.clock_mhz):g}")


def synthesize(top: Elaboratable, board: Board, build_dir: Path) -> Resources:
    """Resources of ``top`` on ``board`` by yosys ``synth_xilinx``; its log goes to ``build_dir``.

    Takes minutes for a design nobody has synthesized on this machine, then is kept by the digest
    of the design, the script and yosys' version. Raises ToolError if yosys fails, ValueError as
    :func:`count_resources`.
    """
    plan = build_plan(top, board, board.toolchains[0])
    result = synthesize_rtlil(plan.files[f"{TOP}.il"])
    write_atomically(Path(build_dir) / LOG_NAME, result["log"])
    return count_resources(result["cells"])


def synthesize_rtlil(rtlil: str) -> dict:
    """``cells``: count by primitive, and ``log`` of the synthesis of a module ``top``."""

    def make(work: Path, target: Path):
        (work / f"{TOP}.il").write_text(rtlil, encoding="utf-8")
        yosys.run(_SCRIPT, work)
        log = (work / LOG_NAME).read_text(encoding="utf-8")
        statistics = (work / "stat.json").read_text(encoding="utf-8")
        statistics = json.loads(_TIMESTAMP.sub("", statistics))
        cells = statistics["design"]["num_cells_by_type"]
        target.write_text(json.dumps({"cells": cells, "log": log}), encoding="utf-8")

    name = f"synthesis-{digest(rtlil, _SCRIPT, yosys.version())}.json"
    return json.loads(cached_file(name, make).read_text(encoding="utf-8"))
