"""The boards there are.

Budgets: DS190, "Zynq-7000 SoC Data Sheet: Overview", table 1; DS180, "7 Series FPGAs Data Sheet:
Overview", table 4; FPGA-DS-02012, "ECP5 and ECP5-5G Family Data Sheet", table 1.1, and for the
exact number of LUTs behind its "24K" and so on Project Trellis; DS102, "GW2A series of FPGA
Products Data Sheet", and DS117, "GW1NR series of FPGA Products Data Sheet", product resources.
"""

from __future__ import annotations

import functools
from fractions import Fraction

from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.model.support.errors import UserError

from ..families.clock import as_mhz
from ..families.ecp5 import ECP5
from ..families.ecp5_clock import Ecp5Clock
from ..families.family import Budget, Family
from ..families.gowin import GOWIN
from ..families.gowin_clock import GowinClock
from ..families.xc7 import XC7
from ..families.xilinx_clock import XilinxClock
from . import arty, cora, tang, ulx3s, zybo
from .console_top import ConsoleTop
from .programming import FUJPROG, open_fpga_loader
from .target import PROCESSOR, UART, Board
from .zynq_top import ZynqTop

__all__ = ["SIMULATED_CLOCK_MHZ", "Board", "board", "boards"]

SIMULATED_CLOCK_MHZ = 125.0
"""Clock at which tokens per second of ``sim`` are stated: that of the smallest board."""


def boards() -> dict[str, Board]:
    """Every board by its name."""
    return {board.name: board for board in _BOARDS}


def board(name: str, variant: str | None = None) -> Board:
    """The board called ``name``; UserError lists the known ones, or the known variants."""
    known = boards()
    if name not in known:
        raise UserError(f"unknown board {name!r}; known: {', '.join(known)}")
    found = known[name]
    if variant is None:
        return found
    if not found.variants:
        raise UserError(f"{name} has no variants; leave --variant out")
    if variant not in found.variants:
        raise UserError(
            f"unknown variant {variant!r} of {name}; known: {', '.join(found.variants)}"
        )
    return found.variants[variant]


_XILINX_TOOLCHAINS = {"vivado": "Vivado", "openxc7": "Xray"}


def _xilinx_platform(platform: type) -> dict:
    return {
        "device": f"{platform.device}{platform.package}-{platform.speed}",
        "default_hw": HwConfig(),
        "family": XC7,
        "toolchains": tuple(_XILINX_TOOLCHAINS),
        "build_platform": lambda toolchain: platform(toolchain=_XILINX_TOOLCHAINS[toolchain]),
    }


def _zynq(name: str, title: str, platform: type, input_mhz: int, budget: Budget, **other) -> Board:
    def build_top(program, clock_mhz, dsp=XC7.dsp):
        return ZynqTop(
            program,
            dsp=dsp,
            platform=platform,
            clock_mhz=as_mhz(clock_mhz),
            input_mhz=Fraction(input_mhz),
        )

    return Board(
        name,
        title,
        default_clock_mhz=float(input_mhz),
        budget=budget,
        console=PROCESSOR,
        build_top=build_top,
        **_xilinx_platform(platform),
        **other,
    )


def _with_uart(family: Family, platform: type, clock, input_mhz: int) -> dict:
    """What the boards with a text console on their serial port have in common."""

    def build_top(program, clock_mhz, dsp=family.dsp, **options):
        return ConsoleTop(
            program,
            dsp=dsp,
            platform=platform,
            clock=clock,
            clock_mhz=as_mhz(clock_mhz),
            input_mhz=Fraction(input_mhz),
            **options,
        )

    return {"console": UART, "build_top": build_top}


def _nextpnr_platform(platform: type) -> dict:
    return {
        "default_hw": HwConfig(),
        "toolchains": ("nextpnr",),
        "build_platform": lambda toolchain: platform(),
    }


def _arty(name: str, title: str, platform: type, budget: Budget, loader: str) -> Board:
    return Board(
        name,
        title,
        default_clock_mhz=100.0,
        budget=budget,
        programmers=(open_fpga_loader(loader),),
        **_xilinx_platform(platform),
        **_with_uart(XC7, platform, XilinxClock, arty.OSCILLATOR_MHZ),
    )


def _ulx3s() -> Board:
    budgets = {
        "12F": Budget(lut=12_000, ff=12_000, bram=32, dsp=28),
        "25F": Budget(lut=24_288, ff=24_288, bram=56, dsp=28),
        "45F": Budget(lut=43_848, ff=43_848, bram=108, dsp=72),
        "85F": Budget(lut=83_640, ff=83_640, bram=208, dsp=156),
    }
    default, variants = "85F", {}
    for variant, platform in ulx3s.PLATFORMS.items():
        variants[variant] = Board(
            "ulx3s",
            f"Radiona ULX3S {variant}",
            device=f"{platform.device}-{platform.speed}{platform.package}{platform.grade}",
            default_clock_mhz=90.0,
            family=ECP5,
            budget=budgets[variant],
            programmers=(open_fpga_loader("ulx3s"), FUJPROG),
            variant=variant,
            variants=variants,
            default_variant=default,
            **_nextpnr_platform(platform),
            **_with_uart(ECP5, platform, Ecp5Clock, ulx3s.OSCILLATOR_MHZ),
        )
    return variants[default]


def _tang(
    name: str, title: str, platform: type, default_clock_mhz: float, budget: Budget, loader: str
) -> Board:
    clock = functools.partial(GowinClock, family=platform.family)
    return Board(
        name,
        title,
        device=platform.part,
        default_clock_mhz=default_clock_mhz,
        family=GOWIN,
        budget=budget,
        programmers=(open_fpga_loader(loader),),
        **_nextpnr_platform(platform),
        **_with_uart(GOWIN, platform, clock, tang.OSCILLATOR_MHZ),
    )


_BOARDS = (
    Board("sim", "compiled simulation", None, SIMULATED_CLOCK_MHZ, HwConfig()),
    _zynq(
        "zybo",
        "Digilent Zybo Z7-10",
        zybo.ZyboZ710Platform,
        zybo.OSCILLATOR_MHZ,
        Budget(lut=17_600, ff=35_200, bram=60, dsp=80),
        programmers=(open_fpga_loader("zybo_z7_10"),),
        processor=zybo.PROCESSOR,
    ),
    _zynq(
        "zybo-z7-20",
        "Digilent Zybo Z7-20",
        zybo.ZyboZ720Platform,
        zybo.OSCILLATOR_MHZ,
        Budget(lut=53_200, ff=106_400, bram=140, dsp=220),
        programmers=(open_fpga_loader("zybo_z7_20"),),
        processor=zybo.PROCESSOR,
    ),
    _zynq(
        "cora-z7",
        "Digilent Cora Z7-07S",
        cora.CoraZ707SPlatform,
        cora.OSCILLATOR_MHZ,
        Budget(lut=14_400, ff=28_800, bram=50, dsp=66),
        processor=cora.PROCESSOR,
    ),
    _arty(
        "arty-a7-35",
        "Digilent Arty A7-35T",
        arty.ArtyA735Platform,
        Budget(lut=20_800, ff=41_600, bram=50, dsp=90),
        "arty_a7_35t",
    ),
    _arty(
        "arty-a7-100",
        "Digilent Arty A7-100T",
        arty.ArtyA7100Platform,
        Budget(lut=63_400, ff=126_800, bram=135, dsp=240),
        "arty_a7_100t",
    ),
    _ulx3s(),
    _tang(
        "tang-primer-20k",
        "Sipeed Tang Primer 20K",
        tang.TangPrimer20kPlatform,
        54.0,
        Budget(lut=20_736, ff=15_552, bram=46, dsp=48),
        "tangprimer20k",
    ),
    _tang(
        "tang-nano-9k",
        "Sipeed Tang Nano 9K",
        tang.TangNano9kPlatform,
        45.0,
        Budget(lut=8_640, ff=6_480, bram=26, dsp=20),
        "tangnano9k",
    ),
)
