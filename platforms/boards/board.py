"""The boards there are; what their devices have is in :mod:`platforms.families.devices`."""

from __future__ import annotations

import functools
from fractions import Fraction

from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.model.support.errors import UserError

from ..families.devices import find_device
from ..families.ecp5 import ECP5
from ..families.ecp5_clock import Ecp5Clock
from ..families.family import Budget, Family
from ..families.gowin import GOWIN
from ..families.gowin_clock import GowinClock
from ..families.xc7 import XC7
from ..families.xcup import XCUP
from ..families.xilinx_clock import UltrascaleClock, XilinxClock
from . import arty, cora, tang, ulx3s, zybo
from .file import is_board_file, or_a_file
from .own_board import own_board
from .programming import FUJPROG, open_fpga_loader
from .target import PROCESSOR, UART, Board, largest_hw
from .tops import clock_maker, console_top, zynq_top, zynqmp_top
from .ultrascale import kv260
from .xilinx_platform import XILINX_TOOLCHAINS

__all__ = ["SIMULATED_CLOCK_MHZ", "Board", "board", "boards"]

SIMULATED_CLOCK_MHZ = 125.0
"""Clock at which tokens per second of ``sim`` are stated: that of the smallest board."""


def boards() -> dict[str, Board]:
    """Every board by its name."""
    return {board.name: board for board in _BOARDS}


def board(name: str, variant: str | None = None, *, synthesized: bool = False) -> Board:
    """The board called ``name``, or that of a board file; see
    :func:`platforms.boards.own_board.own_board`.

    ``synthesized``: one that there is a device for, not the simulation.

    UserError lists the known ones, or the known variants.
    """
    known = boards()
    takes = [name for name, one in known.items() if one.budget is not None or not synthesized]
    if name in takes:
        found = known[name]
    elif name in known:
        raise UserError(f"{name} is not synthesized; name one of {', '.join(takes)}")
    elif is_board_file(name):
        found = own_board(name)
        if found.name in known:
            raise UserError(f"{name}: there is a board called {found.name}; rename the file")
    else:
        raise UserError(f"unknown board {name!r}; known: {', '.join(takes)}{or_a_file(name)}")
    if variant is None:
        return found
    if not found.variants:
        raise UserError(f"{name} has no variants; leave --variant out")
    if variant not in found.variants:
        raise UserError(
            f"unknown variant {variant!r} of {name}; known: {', '.join(found.variants)}"
        )
    return found.variants[variant]


def _budget(family: Family, platform: type) -> Budget:
    part = platform.family if family is GOWIN else platform.device
    return find_device(family.name, part).budget


def _clock_mhz(family: Family, platform: type) -> float:
    part = platform.family if family is GOWIN else platform.device
    return find_device(family.name, part).clock_mhz


def _xilinx_platform(platform: type) -> dict:
    return {
        "device": f"{platform.device}{platform.package}-{platform.speed}",
        "default_hw": largest_hw(XC7),
        "family": XC7,
        "budget": _budget(XC7, platform),
        "toolchains": tuple(XILINX_TOOLCHAINS),
        "build_platform": lambda toolchain: platform(toolchain=XILINX_TOOLCHAINS[toolchain]),
    }


def _zynq(name: str, title: str, platform: type, input_mhz: int, **other) -> Board:
    return Board(
        name,
        title,
        default_clock_mhz=float(input_mhz),
        console=PROCESSOR,
        make_clock=clock_maker(XilinxClock, Fraction(input_mhz)),
        build_top=zynq_top(platform, Fraction(input_mhz)),
        **_xilinx_platform(platform),
        **other,
    )


def _kv260() -> Board:
    platform = kv260.Kv260Platform
    return Board(
        "kv260",
        "AMD Kria KV260",
        device=f"{platform.device}-{platform.package}-{platform.speed}",
        default_clock_mhz=_clock_mhz(XCUP, platform),
        default_hw=largest_hw(XCUP),
        family=XCUP,
        budget=_budget(XCUP, platform),
        toolchains=tuple(kv260.TOOLCHAINS),
        console=PROCESSOR,
        build_platform=lambda toolchain: platform(toolchain=kv260.TOOLCHAINS[toolchain]),
        make_clock=clock_maker(UltrascaleClock, Fraction(kv260.PL_CLK0_MHZ)),
        build_top=zynqmp_top(platform, Fraction(kv260.PL_CLK0_MHZ)),
        memory=kv260.MEMORY,
    )


def _with_uart(family: Family, platform: type, clock, input_mhz: int) -> dict:
    """What the boards with a text console on their serial port have in common."""
    input_mhz = Fraction(input_mhz)
    return {
        "console": UART,
        "make_clock": clock_maker(clock, input_mhz),
        "build_top": console_top(family, platform, clock, input_mhz),
    }


def _nextpnr_platform(platform: type) -> dict:
    return {
        "default_hw": HwConfig(),
        "toolchains": ("nextpnr",),
        "build_platform": lambda toolchain: platform(),
    }


def _arty(name: str, title: str, platform: type, loader: str) -> Board:
    return Board(
        name,
        title,
        default_clock_mhz=float(arty.OSCILLATOR_MHZ),
        programmers=(open_fpga_loader(loader),),
        **_xilinx_platform(platform),
        **_with_uart(XC7, platform, XilinxClock, arty.OSCILLATOR_MHZ),
    )


def _ulx3s() -> Board:
    default, variants = "85F", {}
    for variant, platform in ulx3s.PLATFORMS.items():
        variants[variant] = Board(
            "ulx3s",
            f"Radiona ULX3S {variant}",
            device=f"{platform.device}-{platform.speed}{platform.package}{platform.grade}",
            default_clock_mhz=_clock_mhz(ECP5, platform),
            family=ECP5,
            budget=_budget(ECP5, platform),
            programmers=(open_fpga_loader("ulx3s"), FUJPROG),
            variant=variant,
            variants=variants,
            default_variant=default,
            clock_routed=variant in ulx3s.ROUTED,
            for_several=ulx3s.FOR_SEVERAL.get(variant, {}),
            **_nextpnr_platform(platform),
            **_with_uart(ECP5, platform, Ecp5Clock, ulx3s.OSCILLATOR_MHZ),
        )
    return variants[default]


def _tang(name: str, title: str, platform: type, loader: str) -> Board:
    clock = functools.partial(GowinClock, family=platform.family)
    return Board(
        name,
        title,
        device=platform.part,
        default_clock_mhz=_clock_mhz(GOWIN, platform),
        family=GOWIN,
        budget=_budget(GOWIN, platform),
        programmers=(open_fpga_loader(loader),),
        **_nextpnr_platform(platform),
        **_with_uart(GOWIN, platform, clock, tang.OSCILLATOR_MHZ),
    )


_BOARDS = (
    Board("sim", "compiled simulation", None, SIMULATED_CLOCK_MHZ, HwConfig(), memory=zybo.MEMORY),
    _zynq(
        "zybo",
        "Digilent Zybo Z7-10",
        zybo.ZyboZ710Platform,
        zybo.OSCILLATOR_MHZ,
        programmers=(open_fpga_loader("zybo_z7_10"),),
        processor=zybo.PROCESSOR,
        memory=zybo.MEMORY,
    ),
    _zynq(
        "zybo-z7-20",
        "Digilent Zybo Z7-20",
        zybo.ZyboZ720Platform,
        zybo.OSCILLATOR_MHZ,
        programmers=(open_fpga_loader("zybo_z7_20"),),
        processor=zybo.PROCESSOR,
        memory=zybo.MEMORY,
    ),
    _zynq(
        "cora-z7",
        "Digilent Cora Z7-07S",
        cora.CoraZ707SPlatform,
        cora.OSCILLATOR_MHZ,
        processor=cora.PROCESSOR,
        memory=cora.MEMORY,
    ),
    _kv260(),
    _arty(
        "arty-a7-35",
        "Digilent Arty A7-35T",
        arty.ArtyA735Platform,
        "arty_a7_35t",
    ),
    _arty(
        "arty-a7-100",
        "Digilent Arty A7-100T",
        arty.ArtyA7100Platform,
        "arty_a7_100t",
    ),
    _ulx3s(),
    _tang(
        "tang-primer-20k",
        "Sipeed Tang Primer 20K",
        tang.TangPrimer20kPlatform,
        "tangprimer20k",
    ),
    _tang(
        "tang-nano-9k",
        "Sipeed Tang Nano 9K",
        tang.TangNano9kPlatform,
        "tangnano9k",
    ),
)
