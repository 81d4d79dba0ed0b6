"""Digilent Cora Z7-07S: amaranth-boards' platform with our commands for openXC7."""

from __future__ import annotations

from amaranth_boards.cora_z7 import CoraZ7_07SPlatform

from gateformer.gateware.memory.bus import MemoryShape

from .external_memory import ExternalMemory
from .target import Processor
from .xilinx_platform import Xc7Platform
from .zynq_ps7 import HP_BYTES

OSCILLATOR_MHZ = 125
MEMORY = ExternalMemory(
    MemoryShape(ports=4, data_bytes=HP_BYTES), "DDR3, 16 bits at 1,050 MT/s", 2 * 1050e6
)
"""Cora Z7 Reference Manual, "DDR3 Memory"."""
PROCESSOR = Processor(clock_hz=50_000_000, uart=0)


class CoraZ707SPlatform(Xc7Platform, CoraZ7_07SPlatform):
    """Cora Z7-07S. Its only lights are two RGB LEDs, of which the first serves."""

    lights = (
        ("busy", "rgb_led", 0, "g"),
        ("context_full", "rgb_led", 0, "r"),
        ("heartbeat", "rgb_led", 0, "b"),
    )
