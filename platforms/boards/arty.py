"""Digilent Arty A7 boards: amaranth-boards' platforms with our commands for openXC7."""

from __future__ import annotations

from amaranth_boards.arty_a7 import ArtyA7_35Platform, ArtyA7_100Platform

from .xilinx_platform import Xc7Platform

OSCILLATOR_MHZ = 100


class _ArtyA7Platform(Xc7Platform):
    lights = (("busy", "led", 0), ("context_full", "led", 1), ("heartbeat", "led", 3))
    reset_button = ("rst", 0)


class ArtyA735Platform(_ArtyA7Platform, ArtyA7_35Platform):
    """Arty A7-35T."""


class ArtyA7100Platform(_ArtyA7Platform, ArtyA7_100Platform):
    """Arty A7-100T."""
