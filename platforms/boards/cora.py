"""Digilent Cora Z7-07S: amaranth-boards' platform with our commands for openXC7."""

from __future__ import annotations

from amaranth_boards.cora_z7 import CoraZ7_07SPlatform

from .target import Processor
from .xilinx_platform import Xc7Platform
from .zynq_ps7 import zynq_memory

OSCILLATOR_MHZ = 125
MEMORY = zynq_memory("DDR3", bits=16, transfers=1050, size=512 << 20)
"""Cora Z7 Reference Manual, "DDR3 Memory"."""
PROCESSOR = Processor(clock_hz=50_000_000, uart=0)


class CoraZ707SPlatform(Xc7Platform, CoraZ7_07SPlatform):
    """Cora Z7-07S. Its only lights are two RGB LEDs, of which the first serves."""

    lights = (
        ("busy", "rgb_led", 0, "g"),
        ("context_full", "rgb_led", 0, "r"),
        ("heartbeat", "rgb_led", 0, "b"),
    )
