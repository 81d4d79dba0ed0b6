"""Sipeed Tang boards: amaranth-boards' platforms, placed and routed by nextpnr-himbaechel."""

from __future__ import annotations

from amaranth_boards.tang_nano_9k import TangNano9kPlatform as NanoPlatform
from amaranth_boards.tang_primer_20k import TangPrimer20kDockPlatform

from .nextpnr import GowinByNextpnr

OSCILLATOR_MHZ = 27


class TangPrimer20kPlatform(GowinByNextpnr, TangPrimer20kDockPlatform):
    """Tang Primer 20K on its Dock, which has the LEDs."""

    lights = (("busy", "led", 0), ("context_full", "led", 1), ("heartbeat", "led", 5))
    reset_button = ("button", 0)


class TangNano9kPlatform(GowinByNextpnr, NanoPlatform):
    """Tang Nano 9K."""

    lights = (("busy", "led", 0), ("context_full", "led", 1), ("heartbeat", "led", 5))
    reset_button = ("button", 0)
