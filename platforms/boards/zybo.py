"""Digilent Zybo Z7 boards.

Source of the pins: Digilent's public constraint file "Zybo-Z7-Master.xdc" (repository
Digilent/digilent-xdc), one file for both boards; parts: "Zybo Z7 Reference Manual".
"""

from __future__ import annotations

from amaranth.build import Attrs, Clock, Connector, Pins, Resource
from amaranth_boards.resources import (
    ButtonResources,
    LEDResources,
    RGBLEDResource,
    SwitchResources,
)

from .target import Processor
from .xilinx_platform import Xc7Platform
from .zynq_ps7 import zynq_memory

OSCILLATOR_MHZ = 125
MEMORY = zynq_memory("DDR3L", bits=32, transfers=1066, size=1 << 30)
"""Zybo Z7 Reference Manual, "DDR Memory"."""
PROCESSOR = Processor(clock_hz=33_333_333, uart=1)
LVCMOS33 = Attrs(IOSTANDARD="LVCMOS33")

_RESOURCES = [
    # From the Ethernet PHY: it runs as long as the PHY is not held in reset (E17 low).
    Resource("clk125", 0, Pins("K17", dir="i"), Clock(OSCILLATOR_MHZ * 1e6), LVCMOS33),
    *LEDResources(pins="M14 M15 G14 D18", attrs=LVCMOS33),
    *ButtonResources(pins="K18 P16 K19 Y16", attrs=LVCMOS33),
    *SwitchResources(pins="G15 P15 W13 T16", attrs=LVCMOS33),
    RGBLEDResource(6, r="V16", g="F17", b="M17", attrs=LVCMOS33),
]
_CONNECTORS = [
    Connector("pmod", 0, "N15 L14 K16 K14 - - N16 L15 J16 J14 - -"),  # JA
    Connector("pmod", 2, "V15 W15 T11 T10 - - W14 Y14 T12 U12 - -"),  # JC
    Connector("pmod", 3, "T14 T15 P14 R14 - - U14 U15 V17 V18 - -"),  # JD
    Connector("pmod", 4, "V12 W16 J15 H15 - - V13 U17 T17 Y17 - -"),  # JE
]
_RESOURCES_Z7_20 = [RGBLEDResource(5, r="Y11", g="T5", b="Y12", attrs=LVCMOS33)]
_CONNECTORS_Z7_20 = [Connector("pmod", 1, "V8 W8 U7 V7 - - Y7 Y6 V6 W6 - -")]  # JB


class ZyboZ710Platform(Xc7Platform):
    """Zybo Z7-10."""

    device = "xc7z010"
    package = "clg400"
    speed = "1"
    default_clk = "clk125"
    resources = _RESOURCES
    connectors = _CONNECTORS
    lights = (("busy", "led", 0), ("context_full", "led", 1), ("heartbeat", "led", 3))


class ZyboZ720Platform(ZyboZ710Platform):
    """Zybo Z7-20: the larger part, one more Pmod and one more RGB LED, otherwise the same."""

    device = "xc7z020"
    resources = _RESOURCES + _RESOURCES_Z7_20
    connectors = _CONNECTORS + _CONNECTORS_Z7_20
