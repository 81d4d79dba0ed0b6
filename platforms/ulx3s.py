"""Radiona ULX3S: amaranth-boards' platforms, placed and routed by nextpnr-ecp5 alone."""

from __future__ import annotations

from amaranth_boards import ulx3s

from .nextpnr import Ecp5ByNextpnr

OSCILLATOR_MHZ = 25


class _Ulx3sPlatform(Ecp5ByNextpnr):
    lights = (("busy", "led", 0), ("context_full", "led", 1), ("heartbeat", "led", 7))
    reset_button = ("button_fire", 0)


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
