"""What a board states about itself, and the boards there are."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from amaranth.build import Platform
from amaranth.hdl import Elaboratable

from gateware.hw_config import HwConfig
from gateware.program import Program
from model.errors import UserError

from . import zynq_top
from .xilinx_clock import as_mhz
from .zybo import OSCILLATOR_MHZ, ZyboZ710Platform, ZyboZ720Platform

SIMULATED_CLOCK_MHZ = 125.0
"""Clock at which tokens per second of ``sim`` are stated: that of the smallest board."""


@dataclasses.dataclass(frozen=True)
class Budget:
    """What a device has: LUTs, flip-flops, block memories of 36 Kb, multiplier blocks."""

    lut: int
    ff: int
    bram36: int
    dsp: int


@dataclasses.dataclass(frozen=True)
class Board:
    """A build target.

    Attributes
    ----------
    name, title : str
        On the command line; in tables.
    device : str or None
        Part number; None for the simulation.
    default_clock_mhz : float
        Core clock unless the user chooses another.
    default_hw : HwConfig
        Sizes that suit the device; a model that needs less gets less.
    dsp : str
        Multiplier family of :class:`gateware.core.Core`.
    budget : Budget or None
    toolchains : tuple of str
        Names for :attr:`build_platform`, the preferred one first; empty for the simulation.
    build_platform : function of a toolchain's name to an amaranth platform
    build_top : function of (program, clock in MHz) to the top-level Elaboratable
        Its ``clock_mhz`` is the frequency that the board can make of the one asked for;
        UserError if that is more than 0.1 % off.
    """

    name: str
    title: str
    device: str | None
    default_clock_mhz: float
    default_hw: HwConfig
    dsp: str = "generic"
    budget: Budget | None = None
    toolchains: tuple[str, ...] = ()
    build_platform: Callable[[str], Platform] | None = None
    build_top: Callable[[Program, float], Elaboratable] | None = None


def boards() -> dict[str, Board]:
    """Every board by its name."""
    return {board.name: board for board in (_SIM, _ZYBO, _ZYBO_Z7_20)}


def board(name: str) -> Board:
    """The board called ``name``; UserError lists the known ones."""
    known = boards()
    if name not in known:
        raise UserError(f"unknown board {name!r}; known: {', '.join(known)}")
    return known[name]


_AMARANTH_TOOLCHAINS = {"vivado": "Vivado", "openxc7": "Xray"}


def _zybo_board(name: str, title: str, platform: type, budget: Budget) -> Board:
    return Board(
        name,
        title,
        device=f"{platform.device}{platform.package}-{platform.speed}",
        default_clock_mhz=float(OSCILLATOR_MHZ),
        default_hw=HwConfig(),
        dsp=zynq_top.DSP,
        budget=budget,
        toolchains=tuple(_AMARANTH_TOOLCHAINS),
        build_platform=lambda toolchain: platform(toolchain=_AMARANTH_TOOLCHAINS[toolchain]),
        build_top=lambda program, clock_mhz: zynq_top.ZynqTop(
            program, clock_mhz=as_mhz(clock_mhz), input_mhz=as_mhz(OSCILLATOR_MHZ)
        ),
    )


_SIM = Board("sim", "compiled simulation", None, SIMULATED_CLOCK_MHZ, HwConfig())
# Budgets: DS190, "Zynq-7000 SoC Data Sheet: Overview", table 1.
_ZYBO = _zybo_board(
    "zybo",
    "Digilent Zybo Z7-10",
    ZyboZ710Platform,
    Budget(lut=17_600, ff=35_200, bram36=60, dsp=80),
)
_ZYBO_Z7_20 = _zybo_board(
    "zybo-z7-20",
    "Digilent Zybo Z7-20",
    ZyboZ720Platform,
    Budget(lut=53_200, ff=106_400, bram36=140, dsp=220),
)
