"""How a board's top level is made: with a serial port, or for the processor of a Zynq."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from amaranth.hdl import Signal

from ..families.clock import as_mhz
from ..families.family import Family
from .console_top import ConsoleTop
from .ultrascale.top import ZynqmpTop
from .zynq_top import ZynqTop


def clock_maker(clock: Callable, input_mhz: Fraction) -> Callable[[float], Fraction]:
    """``Board.make_clock`` of a generator, as :class:`platforms.families.clock.ClockGenerator`."""

    def make_clock(clock_mhz: float) -> Fraction:
        return clock(Signal(), input_mhz, as_mhz(clock_mhz), Signal()).output_mhz

    return make_clock


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
    """``Board.build_top`` of a Zynq-7000 board, whose processor talks to the core."""
    return _processor_top(ZynqTop, platform, input_mhz)


def zynqmp_top(platform: type, pl_clk0_mhz: Fraction) -> Callable:
    """Likewise of a Zynq UltraScale+ board, which has its clock from the processor."""
    return _processor_top(ZynqmpTop, platform, pl_clk0_mhz)


def _processor_top(top: type, platform: type, input_mhz: Fraction) -> Callable:
    def build_top(program, clock_mhz, **options):
        return top(
            program,
            platform=platform,
            clock_mhz=as_mhz(clock_mhz),
            input_mhz=input_mhz,
            **options,
        )

    return build_top
