"""What each device has: the only place where the budgets of boards come from.

Sources: DS180, "7 Series FPGAs Data Sheet: Overview", tables of Spartan-7, Artix-7 and Kintex-7;
DS190, "Zynq-7000 SoC Data Sheet: Overview", table 1; of the XCK26 DS987, "Kria K26 SOM Data Sheet"
(programmable logic), and DS891, "Zynq UltraScale+ MPSoC Data Sheet: Overview", whose ZU5EV has the
same; FPGA-DS-02012, "ECP5 and ECP5-5G Family Data Sheet", table 1.1, and for the exact number of
LUTs behind its "24K" and so on Project Trellis; DS102, "GW2A series of FPGA Products Data Sheet",
DS226, "GW2AR series …", DS100, "GW1N series …", and DS117, "GW1NR series …", product resources.
"""

from __future__ import annotations

import dataclasses
import re

from .family import Budget


@dataclasses.dataclass(frozen=True)
class Device:
    """A device of a family.

    Attributes
    ----------
    name : str
    budget : Budget
        In the family's units.
    clock_mhz : float
        Clock of the core that our own boards with such a device take, or one like it.
    carries : int or None
        CARRY4 of a 7-series device: one in each slice, beside its four LUTs; of UltraScale+ halves
        of the CARRY8s.
    """

    name: str
    budget: Budget
    clock_mhz: float
    carries: int | None = None


_XC7 = {
    # slices, block memories (36 Kb), DSP48E1
    "xc7s6": (938, 5, 10),
    "xc7s15": (2_000, 10, 20),
    "xc7s25": (3_650, 45, 80),
    "xc7s50": (8_150, 75, 120),
    "xc7s75": (12_000, 90, 140),
    "xc7s100": (16_000, 120, 160),
    "xc7a12t": (2_000, 20, 40),
    "xc7a15t": (2_600, 25, 45),
    "xc7a25t": (3_650, 45, 80),
    "xc7a35t": (5_200, 50, 90),
    "xc7a50t": (8_150, 75, 120),
    "xc7a75t": (11_800, 105, 180),
    "xc7a100t": (15_850, 135, 240),
    "xc7a200t": (33_650, 365, 740),
    "xc7k70t": (10_250, 135, 240),
    "xc7k160t": (25_350, 325, 600),
    "xc7k325t": (50_950, 445, 840),
    "xc7k355t": (55_650, 715, 1_440),
    "xc7k410t": (63_550, 795, 1_540),
    "xc7k420t": (65_150, 835, 1_680),
    "xc7k480t": (74_650, 955, 1_920),
    "xc7z007s": (3_600, 50, 66),
    "xc7z012s": (8_600, 72, 120),
    "xc7z014s": (10_150, 107, 170),
    "xc7z010": (4_400, 60, 80),
    "xc7z015": (11_550, 95, 160),
    "xc7z020": (13_300, 140, 220),
    "xc7z030": (19_650, 265, 400),
    "xc7z035": (42_975, 500, 900),
    "xc7z045": (54_650, 545, 900),
    "xc7z100": (69_350, 755, 2_020),
}
_LUTS_PER_SLICE, _FLIP_FLOPS_PER_SLICE = 4, 8
"""UG474, "7 Series FPGAs CLB", table 1-1."""
_XC7_MHZ = 100.0


def _xc7(name: str, slices: int, bram: int, dsp: int) -> Device:
    budget = Budget(_LUTS_PER_SLICE * slices, _FLIP_FLOPS_PER_SLICE * slices, bram, dsp)
    return Device(name, budget, _XC7_MHZ, carries=slices)


_XCUP = {
    # CLBs, block memories (36 Kb), DSP48E2
    "xck26": (14_640, 144, 1_248),
}
_LUTS_PER_CLB, _FLIP_FLOPS_PER_CLB = 8, 16
"""UG574, "UltraScale Architecture CLB", table 1-1."""
_XCUP_MHZ = 100.0


def _xcup(name: str, clbs: int, bram: int, dsp: int) -> Device:
    budget = Budget(_LUTS_PER_CLB * clbs, _FLIP_FLOPS_PER_CLB * clbs, bram, dsp)
    return Device(name, budget, _XCUP_MHZ, carries=2 * clbs)


_ECP5_MHZ = 90.0
_ECP5 = {
    "12F": Budget(lut=12_000, ff=12_000, bram=32, dsp=28),
    "25F": Budget(lut=24_288, ff=24_288, bram=56, dsp=28),
    "45F": Budget(lut=43_848, ff=43_848, bram=108, dsp=72),
    "85F": Budget(lut=83_640, ff=83_640, bram=208, dsp=156),
}
_ECP5_SERIES = {"LFE5U": ("12F", "25F", "45F", "85F"), "LFE5UM": ("25F", "45F", "85F")}
_ECP5_SERIES["LFE5UM5G"] = _ECP5_SERIES["LFE5UM"]

DEVICES: dict[str, dict[str, Device]] = {
    "xc7": {name: _xc7(name, *numbers) for name, numbers in _XC7.items()},
    "xcup": {name: _xcup(name, *numbers) for name, numbers in _XCUP.items()},
    "ecp5": {
        f"{series}-{size}": Device(f"{series}-{size}", _ECP5[size], _ECP5_MHZ)
        for series, sizes in _ECP5_SERIES.items()
        for size in sizes
    },
    "gowin": {
        "GW1N-9": Device("GW1N-9", Budget(lut=8_640, ff=6_480, bram=26, dsp=20), 45.0),
        "GW2A-18": Device("GW2A-18", Budget(lut=20_736, ff=15_552, bram=46, dsp=48), 54.0),
    },
}
"""By the family's name and the device's, as :func:`device_name` gives it."""

_PATTERNS = {
    # industrial and low-power parts have the same fabric: xc7a35ti, xc7a35tl
    "xc7": re.compile(r"(xc7(?:[ak]\d+t|s\d+|z\d+s?))[il]?"),
    "xcup": re.compile(r"(xck26)"),
    "ecp5": re.compile(r"(lfe5u(?:m|m5g)?-\d+f)"),
    # the R is memory in the package, the letter at the end the subseries
    "gowin": re.compile(r"(gw\d[a-z]+?)r?(-\d+)[a-z]?"),
}


def device_name(family: str, part: str) -> str:
    """A part's name in :data:`DEVICES`, or what it would be: "xc7a35t" of "XC7A35Ti"."""
    match = _PATTERNS[family].fullmatch(part.lower())
    if match is None:
        return part
    name = "".join(match.groups())
    return name if family in ("xc7", "xcup") else name.upper()


def find_device(family: str, part: str) -> Device | None:
    """The device of a part, None if it is not in the table.

    ``part`` as amaranth's platforms name it: ``device`` of 7 series and ECP5, ``family`` of Gowin.
    """
    return DEVICES[family].get(device_name(family, part))
