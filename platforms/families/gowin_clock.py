"""Clock and reset of a Gowin design: settings of the rPLL and what they make.

Sources: UG286, "Gowin Clock User Guide" (dividers, equations); PLL switching characteristics in
DS117, "GW1NR series of FPGA Products Data Sheet" (grade C6/I5), DS102, "GW2A series …", and
DS226, "GW2AR series …" (grade C8/I7).
"""

from __future__ import annotations

import dataclasses
from fractions import Fraction

from amaranth.hdl import Const, Instance, Module, Signal

from .clock import ClockGenerator, check_input, check_nearest, closest

INPUT_DIVIDERS = range(1, 65)
FEEDBACK_DIVIDERS = range(1, 65)
OUTPUT_DIVIDERS = (2, 4, 8, 16, 32, 48, 64, 80, 96, 112, 128)


@dataclasses.dataclass(frozen=True)
class RpllLimits:
    """(lowest, highest) in MHz; ``pfd`` holds for the input clock, too.

    The lowest output is excluded: gowin_pack refuses it.
    """

    pfd: tuple[int, int]
    vco: tuple[int, int]
    output: tuple[Fraction, int]


_GW1NR_9 = RpllLimits((3, 400), (400, 1200), (Fraction("3.125"), 600))
_GW2A_18 = RpllLimits((3, 500), (500, 1250), (Fraction("3.90625"), 625))
FAMILIES = {
    "GW1N-9C": _GW1NR_9,
    "GW1NR-9C": _GW1NR_9,
    "GW2A-18C": _GW2A_18,
    "GW2A-18": _GW2A_18,
    "GW2AR-18": _GW2A_18,
    "GW2AR-18C": _GW2A_18,
}
"""Limits by amaranth's name of the family, which is also the rPLL's DEVICE."""


@dataclasses.dataclass(frozen=True)
class RpllSettings:
    """Dividers of an rPLL with internal feedback: output = input × fbdiv / idiv.

    The VCO runs ``odiv`` times as fast as the output. The parameters IDIV_SEL and FBDIV_SEL are
    one less than ``idiv`` and ``fbdiv``, ODIV_SEL is ``odiv``.
    """

    input_mhz: Fraction
    idiv: int
    fbdiv: int
    odiv: int

    @property
    def vco_mhz(self) -> Fraction:
        return self.output_mhz * self.odiv

    @property
    def output_mhz(self) -> Fraction:
        return self.input_mhz * self.fbdiv / self.idiv


def find_gowin_pll(input_mhz: Fraction, output_mhz: Fraction, family: str) -> RpllSettings:
    """Settings closest to ``output_mhz``; of equal ones the fastest PFD, then the fastest VCO.

    Raises UserError, naming the nearest frequency that can be made, if no setting comes within
    0.1 %; ValueError for an unknown family.
    """
    if family not in FAMILIES:
        raise ValueError(f"family must be one of {', '.join(FAMILIES)}, not {family!r}")
    limits = FAMILIES[family]
    check_input(input_mhz, *limits.pfd, "PLL")
    candidates = _candidates(input_mhz, limits)
    best = closest(candidates, output_mhz, lambda settings: (settings.idiv, -settings.vco_mhz))
    check_nearest(input_mhz, output_mhz, best.output_mhz)
    return best


def _candidates(input_mhz: Fraction, limits: RpllLimits):
    """Every legal output frequency of each input divider, with the fastest VCO."""
    for idiv in INPUT_DIVIDERS:
        if not limits.pfd[0] <= input_mhz / idiv <= limits.pfd[1]:
            continue
        for fbdiv in FEEDBACK_DIVIDERS:
            output = input_mhz * fbdiv / idiv
            if not limits.output[0] < output <= limits.output[1]:
                continue
            odiv = max((d for d in OUTPUT_DIVIDERS if output * d <= limits.vco[1]), default=None)
            if odiv is not None and output * odiv >= limits.vco[0]:
                yield RpllSettings(input_mhz, idiv, fbdiv, odiv)


class GowinClock(ClockGenerator):
    """As :class:`platforms.families.clock.ClockGenerator`, by an ``rPLL``; the tools insert the
    clock buffer.

    nextpnr derives no constraint for the rPLL's output: pass the frequency with ``--freq``.

    Parameters
    ----------
    family : str
        amaranth's name of the device family, one of :data:`FAMILIES`.
    """

    def __init__(self, source, input_mhz: Fraction, output_mhz: Fraction, reset, *, family: str):
        self._family = family
        super().__init__(source, input_mhz, output_mhz, reset)

    def find_settings(self, input_mhz: Fraction, output_mhz: Fraction) -> RpllSettings:
        return find_gowin_pll(input_mhz, output_mhz, self._family)

    def pll(self, m: Module, clock: Signal, locked: Signal) -> None:
        settings = self.settings
        m.submodules.pll = Instance(
            "rPLL",
            p_DEVICE=self._family,
            p_FCLKIN=f"{float(settings.input_mhz):.9g}",
            p_IDIV_SEL=settings.idiv - 1,
            p_FBDIV_SEL=settings.fbdiv - 1,
            p_ODIV_SEL=settings.odiv,
            p_DYN_IDIV_SEL="false",
            p_DYN_FBDIV_SEL="false",
            p_DYN_ODIV_SEL="false",
            p_DYN_DA_EN="false",
            p_PSDA_SEL="0000",
            p_DUTYDA_SEL="1000",
            p_CLKFB_SEL="internal",
            p_CLKOUT_BYPASS="false",
            p_CLKOUTP_BYPASS="false",
            p_CLKOUTD_BYPASS="false",
            p_CLKOUTD_SRC="CLKOUT",
            p_CLKOUTD3_SRC="CLKOUT",
            p_DYN_SDIV_SEL=2,
            i_CLKIN=self.source,
            i_CLKFB=0,
            i_RESET=0,
            i_RESET_P=0,
            i_FBDSEL=Const(0, 6),
            i_IDSEL=Const(0, 6),
            i_ODSEL=Const(0, 6),
            i_PSDA=Const(0, 4),
            i_DUTYDA=Const(0, 4),
            i_FDLY=Const(0, 4),
            o_CLKOUT=clock,
            o_LOCK=locked,
        )
