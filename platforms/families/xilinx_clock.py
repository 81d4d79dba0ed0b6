"""Clock and reset of a 7-series or UltraScale+ design: MMCM settings and what they make.

Sources: UG472, "7 Series FPGAs Clocking Resources", chapter 3 (MMCM: programmable dividers and the
equations of VCO, PFD and output frequency); MMCM and global clock buffer tables, speed grade -1, of
DS187, "Zynq-7000 (Z-7007S, Z-7012S, Z-7014S, Z-7010, Z-7015, and Z-7020) DC and AC Switching
Characteristics", and DS181, "Artix-7 FPGAs Data Sheet: DC and AC Switching Characteristics", which
state the same limits; UG953, "7 Series Libraries Guide" (MMCME2_BASE). Of UltraScale+ UG572,
"UltraScale Architecture Clocking Resources", table 3-4, and DS925, "Zynq UltraScale+ MPSoC Data
Sheet: DC and AC Switching Characteristics", the speed grade -2 at 0.72 V.
"""

from __future__ import annotations

import dataclasses
from fractions import Fraction

from amaranth.hdl import ClockSignal, Instance, Module, Signal

from .clock import ClockGenerator, check_input, check_nearest, closest

EIGHTHS = 8
"""Fractional dividers step by 1/8."""
INPUT_DIVIDERS = range(1, 107)
OUTPUT_DIVIDER = (1, 128)
FRACTIONAL_FROM = 2
"""The output divider is fractional from here on."""


@dataclasses.dataclass(frozen=True)
class MmcmLimits:
    """Lowest and highest frequencies, in MHz, and multipliers of a family's MMCM.

    ``output_mhz``: the lowest MMCM output, the highest frequency of a global clock buffer.
    """

    vco_mhz: tuple[int, int]
    pfd_mhz: tuple[int, int]
    output_mhz: tuple[Fraction, int]
    multiplier: tuple[int, int]


SERIES_7 = MmcmLimits((600, 1200), (10, 450), (Fraction("4.69"), 464), (2, 63))
"""UG472 allows a multiplier of 64, which openXC7 refuses."""
ULTRASCALE_PLUS = MmcmLimits((800, 1600), (10, 500), (Fraction("6.25"), 725), (2, 128))


@dataclasses.dataclass(frozen=True)
class MmcmSettings:
    """Dividers of an MMCM: output = input × multiplier / input_divider / output_divider."""

    input_mhz: Fraction
    multiplier: Fraction
    input_divider: int
    output_divider: Fraction

    @property
    def vco_mhz(self) -> Fraction:
        return self.input_mhz * self.multiplier / self.input_divider

    @property
    def output_mhz(self) -> Fraction:
        return self.vco_mhz / self.output_divider

    @property
    def fractional(self) -> bool:
        """Whether a divider is not an integer."""
        return not self.multiplier.denominator == self.output_divider.denominator == 1


def find_mmcm(
    input_mhz: Fraction, output_mhz: Fraction, limits: MmcmLimits = SERIES_7
) -> MmcmSettings:
    """Settings closest to ``output_mhz``.

    Of equal ones those with integer dividers, then the fastest PFD, then the fastest VCO: all
    three make for less jitter (UG472). Raises UserError, naming the nearest frequency that can be
    made, if no setting comes within 0.1 %.
    """
    check_input(input_mhz, *limits.pfd_mhz, "MMCM")
    low, high = limits.output_mhz
    wanted = min(max(output_mhz, low), high)
    best = None
    for divider in INPUT_DIVIDERS:
        candidates = list(_candidates(input_mhz, divider, wanted, limits))
        candidates += [best] if best else []
        if candidates:
            best = closest(candidates, wanted, _preference)
        if best is not None and best.output_mhz == wanted and not best.fractional:
            break
    check_nearest(input_mhz, output_mhz, best.output_mhz)
    return best


def _preference(settings: MmcmSettings) -> tuple:
    return settings.fractional, settings.input_divider, -settings.vco_mhz


def _candidates(input_mhz: Fraction, divider: int, wanted: Fraction, limits: MmcmLimits):
    """Every legal VCO frequency with the output dividers around the wanted frequency."""
    pfd = input_mhz / divider
    if not limits.pfd_mhz[0] <= pfd <= limits.pfd_mhz[1]:
        return
    first, last = (EIGHTHS * limit for limit in limits.multiplier)
    slowest = max(first, -(-limits.vco_mhz[0] * EIGHTHS // pfd))
    fastest = min(last, limits.vco_mhz[1] * EIGHTHS // pfd)
    for eighths in range(slowest, fastest + 1):
        multiplier = Fraction(eighths, EIGHTHS)
        for output in _output_dividers(pfd * multiplier / wanted):
            settings = MmcmSettings(input_mhz, multiplier, divider, output)
            if limits.output_mhz[0] <= settings.output_mhz <= limits.output_mhz[1]:
                yield settings


def _output_dividers(ideal: Fraction) -> set[Fraction]:
    below = Fraction(ideal * EIGHTHS // 1, EIGHTHS)
    near = {below, below + Fraction(1, EIGHTHS), Fraction(ideal // 1), Fraction(ideal // 1 + 1)}
    low, high = OUTPUT_DIVIDER
    return {d for d in near if low <= d <= high and (d >= FRACTIONAL_FROM or d.denominator == 1)}


class XilinxClock(ClockGenerator):
    """As :class:`platforms.families.clock.ClockGenerator`, by an ``MMCME2_BASE`` and a global
    buffer.

    RST and PWRDWN stay unconnected: Vivado ties them low, and so does openXC7's nextpnr-xilinx
    (``pack_constants`` of 2024 and 2026), by the pins' inverters. Tied to 0 here, they would be on
    in its versions before September 2026, which know the inverters of an MMCME2_ADV but meet the
    constants while the cell is an MMCME2_BASE. The phases are stated because those versions take
    1 degree otherwise (openXC7/nextpnr-xilinx, pull request 191).
    """

    primitive, limits = "MMCME2_BASE", SERIES_7

    def find_settings(self, input_mhz: Fraction, output_mhz: Fraction) -> MmcmSettings:
        return find_mmcm(input_mhz, output_mhz, self.limits)

    def buffer(self, m: Module, clock) -> None:
        m.submodules.buffer = Instance("BUFG", i_I=clock, o_O=ClockSignal("sync"))

    def pll(self, m: Module, clock: Signal, locked: Signal) -> None:
        settings = self.settings
        feedback = Signal(name="mmcm_feedback")
        m.submodules.mmcm = Instance(
            self.primitive,
            p_BANDWIDTH="OPTIMIZED",
            p_CLKIN1_PERIOD=float(1000 / settings.input_mhz),
            p_CLKFBOUT_MULT_F=float(settings.multiplier),
            p_CLKFBOUT_PHASE=0.0,
            p_DIVCLK_DIVIDE=settings.input_divider,
            p_CLKOUT0_DIVIDE_F=float(settings.output_divider),
            p_CLKOUT0_PHASE=0.0,
            i_CLKIN1=self.source,
            i_CLKFBIN=feedback,
            o_CLKFBOUT=feedback,
            o_CLKOUT0=clock,
            o_LOCKED=locked,
        )


class UltrascaleClock(XilinxClock):
    """Likewise by an ``MMCME4_BASE``, from a clock that is on a global buffer: the processor's.

    Without an MMCM that buffer is the domain's.
    """

    primitive, limits = "MMCME4_BASE", ULTRASCALE_PLUS

    def buffer(self, m: Module, clock) -> None:
        if self.settings is None:
            m.d.comb += ClockSignal("sync").eq(clock)
        else:
            super().buffer(m, clock)
