"""Radiona ULX3S: amaranth-boards' platforms, placed and routed by nextpnr-ecp5 alone.

Sources: pin L2, amaranth-boards' resource ``esp32``, ``gpio0``; what the ESP32 does with it, its
author in sylefeb/Silice, issue 207.
"""

from __future__ import annotations

from amaranth.build import Attrs, Pins, Resource
from amaranth_boards import ulx3s

from gateformer.gateware.plan.hw_config import HwConfig

from .nextpnr import Ecp5ByNextpnr

OSCILLATOR_MHZ = 25


class _Ulx3sPlatform(Ecp5ByNextpnr):
    lights = (("busy", "led", 0), ("context_full", "led", 1), ("heartbeat", "led", 7))
    reset_button = ("button_fire", 0)
    # GPIO0 of the ESP32: with the firmware that boards were shipped with, a low level for a second
    # or two means that the ESP32 shall have the board, and it loads a bitstream of its own. An
    # unused pin of the FPGA is pulled low.
    held_high = (("wifi_gpio0", 0),)
    resources = (
        *ulx3s.ULX3S_85F_Platform.resources,  # the same for all
        Resource("wifi_gpio0", 0, Pins("L2", dir="o"), Attrs(IO_TYPE="LVCMOS33", PULLMODE="UP")),
    )


class Ulx3s12FPlatform(_Ulx3sPlatform, ulx3s.ULX3S_12F_Platform):
    """ULX3S with LFE5U-12F."""


class Ulx3s25FPlatform(_Ulx3sPlatform, ulx3s.ULX3S_25F_Platform):
    """ULX3S with LFE5U-25F."""


class Ulx3s45FPlatform(_Ulx3sPlatform, ulx3s.ULX3S_45F_Platform):
    """ULX3S with LFE5U-45F."""


class Ulx3s85FPlatform(_Ulx3sPlatform, ulx3s.ULX3S_85F_Platform):
    """ULX3S with LFE5U-85F."""


PLATFORMS = {
    "12F": Ulx3s12FPlatform,
    "25F": Ulx3s25FPlatform,
    "45F": Ulx3s45FPlatform,
    "85F": Ulx3s85FPlatform,
}
"""By the option ``--variant``."""
ROUTED = ("25F", "85F")
"""Those that met their default clock when we placed and routed them: the table in the README."""
FOR_SEVERAL = {
    "85F": {
        "default_hw": HwConfig(rows=16, cols=64, lanes=128),
        "default_clock_mhz": 64.0,
        "build_platform": lambda toolchain: Ulx3s85FPlatform(router="router2"),
    }
}
"""What is other for several streams: placed and routed with three, as the table in the README says.
There router1, which is fast enough for the others, takes more than an hour."""
