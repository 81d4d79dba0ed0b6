"""How a board's top level is made: with a serial port, or for a Zynq's processor."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from ..families.clock import as_mhz
from ..families.family import Family
from ..families.xc7 import XC7
from .console_top import ConsoleTop
from .zynq_top import ZynqTop


def console_top(family: Family, platform: type, clock, input_mhz: Fraction) -> Callable:
    """``Board.build_top`` of a board with a text console on its serial port."""

    def build_top(program, clock_mhz, dsp=family.dsp, **options):
        return ConsoleTop(
            program,
            dsp=dsp,
            platform=platform,
            clock=clock,
            clock_mhz=as_mhz(clock_mhz),
            input_mhz=input_mhz,
            **options,
        )

    return build_top


def zynq_top(platform: type, input_mhz: Fraction) -> Callable:
    """``Board.build_top`` of a board whose processor talks to the core."""

    def build_top(program, clock_mhz, dsp=XC7.dsp):
        return ZynqTop(
            program,
            dsp=dsp,
            platform=platform,
            clock_mhz=as_mhz(clock_mhz),
            input_mhz=input_mhz,
        )

    return build_top
