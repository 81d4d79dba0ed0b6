"""Clock and reset of an ECP5 design: settings of the EHXPLLL and what they make.

Sources: FPGA-DS-02012, "ECP5 and ECP5-5G Family Data Sheet", table "sysCLOCK PLL Timing"
(frequencies); FPGA-TN-02200, "ECP5 and ECP5-5G sysCLOCK PLL/DLL Design and Usage Guide" (dividers,
phase, feedback); Project Trellis, ``ecppll`` (charge pump and filter settings).
"""

from __future__ import annotations

import dataclasses
from fractions import Fraction

from amaranth.hdl import Instance, Module, Signal

from .clock import ClockGenerator, check_input, check_nearest, closest

INPUT_MHZ = (10, 400)
"""The data sheet's 8 to 400 MHz, as far as the phase detector can take it undivided."""
PFD_MHZ = (10, 400)
"""The phase detector works below 10 MHz, but then jitter is not specified."""
VCO_MHZ = (400, 800)
VCO_CENTRE_MHZ = sum(VCO_MHZ) // 2
OUTPUT_MHZ = (Fraction("3.125"), 400)
INPUT_DIVIDERS = range(1, 129)
FEEDBACK_DIVIDERS = range(1, 81)
OUTPUT_DIVIDERS = range(1, 129)


@dataclasses.dataclass(frozen=True)
class Ecp5PllSettings:
    """Dividers of an EHXPLLL with feedback from CLKOP.

    VCO = input / clki_div × clkfb_div × clkop_div. The output is CLKOS, VCO / clkos_div, for its
    finer steps, or CLKOP, VCO / clkop_div, if ``clkos_div`` is None.
    """

    input_mhz: Fraction
    clki_div: int
    clkfb_div: int
    clkop_div: int
    clkos_div: int | None = None

    @property
    def vco_mhz(self) -> Fraction:
        return self.input_mhz * self.clkfb_div * self.clkop_div / self.clki_div

    @property
    def output_mhz(self) -> Fraction:
        return self.vco_mhz / (self.clkos_div or self.clkop_div)


def find_ecp5_pll(input_mhz: Fraction, output_mhz: Fraction) -> Ecp5PllSettings:
    """Settings closest to ``output_mhz``.

    Of equal ones those without CLKOS, then the fastest phase detector, then the VCO closest to
    the middle of its range. Raises UserError, naming the nearest frequency that can be made, if
    no setting comes within 0.1 %.
    """
    check_input(input_mhz, *INPUT_MHZ, "PLL")
    low, high = OUTPUT_MHZ
    wanted = min(max(output_mhz, low), high)

    def preference(settings: Ecp5PllSettings):
        return (
            settings.clkos_div is not None,
            settings.clki_div,
            abs(settings.vco_mhz - VCO_CENTRE_MHZ),
            settings.clkfb_div,
        )

    best = closest(_candidates(input_mhz, wanted), wanted, preference)
    check_nearest(input_mhz, output_mhz, best.output_mhz)
    return best


def _candidates(input_mhz: Fraction, wanted: Fraction):
    """Every legal VCO frequency with the CLKOS dividers around the wanted frequency."""
    for clki_div in INPUT_DIVIDERS:
        pfd = input_mhz / clki_div
        if not PFD_MHZ[0] <= pfd <= PFD_MHZ[1]:
            continue
        for clkfb_div in FEEDBACK_DIVIDERS:
            feedback = pfd * clkfb_div
            if not OUTPUT_MHZ[0] <= feedback <= OUTPUT_MHZ[1]:
                continue
            slowest = -(-VCO_MHZ[0] // feedback)
            fastest = min(VCO_MHZ[1] // feedback, OUTPUT_DIVIDERS[-1])
            for clkop_div in range(slowest, fastest + 1):
                plain = Ecp5PllSettings(input_mhz, clki_div, clkfb_div, clkop_div)
                yield plain
                ideal = plain.vco_mhz // wanted
                for clkos_div in (ideal, ideal + 1):
                    settings = dataclasses.replace(plain, clkos_div=clkos_div)
                    if clkos_div in OUTPUT_DIVIDERS and _may_leave(settings.output_mhz):
                        yield settings


def _may_leave(mhz: Fraction) -> bool:
    return OUTPUT_MHZ[0] <= mhz <= OUTPUT_MHZ[1]


class Ecp5Clock(ClockGenerator):
    """As :class:`platforms.families.clock.ClockGenerator`, by an ``EHXPLLL``.

    The tools insert the clock buffer.
    """

    def find_settings(self, input_mhz: Fraction, output_mhz: Fraction) -> Ecp5PllSettings:
        return find_ecp5_pll(input_mhz, output_mhz)

    def pll(self, m: Module, clock: Signal, locked: Signal) -> None:
        settings = self.settings
        feedback = clock
        parameters = {}
        if settings.clkos_div is not None:
            feedback = Signal(name="pll_feedback")
            parameters = {
                "p_CLKOS_ENABLE": "ENABLED",
                "p_CLKOS_DIV": settings.clkos_div,
                "p_CLKOS_CPHASE": settings.clkos_div - 1,
                "p_CLKOS_FPHASE": 0,
                "o_CLKOS": clock,
                "a_FREQUENCY_PIN_CLKOS": _frequency(settings.output_mhz),
            }
        m.submodules.pll = Instance(
            "EHXPLLL",
            # Lattice's tools read the frequencies, nextpnr the analogue settings.
            a_FREQUENCY_PIN_CLKI=_frequency(settings.input_mhz),
            a_FREQUENCY_PIN_CLKOP=_frequency(settings.vco_mhz / settings.clkop_div),
            a_ICP_CURRENT="12",
            a_LPF_RESISTOR="8",
            a_MFG_ENABLE_FILTEROPAMP="1",
            a_MFG_GMCREF_SEL="2",
            p_PLLRST_ENA="DISABLED",
            p_INTFB_WAKE="DISABLED",
            p_STDBY_ENABLE="DISABLED",
            p_DPHASE_SOURCE="DISABLED",
            p_OUTDIVIDER_MUXA="DIVA",
            p_OUTDIVIDER_MUXB="DIVB",
            p_OUTDIVIDER_MUXC="DIVC",
            p_OUTDIVIDER_MUXD="DIVD",
            p_CLKI_DIV=settings.clki_div,
            p_CLKFB_DIV=settings.clkfb_div,
            p_CLKOP_ENABLE="ENABLED",
            p_CLKOP_DIV=settings.clkop_div,
            p_CLKOP_CPHASE=settings.clkop_div - 1,  # no phase shift
            p_CLKOP_FPHASE=0,
            p_FEEDBK_PATH="CLKOP",
            i_CLKI=self.source,
            i_CLKFB=feedback,
            i_RST=0,
            i_STDBY=0,
            i_PHASESEL0=0,
            i_PHASESEL1=0,
            i_PHASEDIR=1,
            i_PHASESTEP=1,
            i_PHASELOADREG=1,
            i_PLLWAKESYNC=0,
            i_ENCLKOP=0,
            o_CLKOP=feedback,
            o_LOCK=locked,
            **parameters,
        )


def _frequency(mhz: Fraction) -> str:
    return f"{float(mhz):.6f}"
