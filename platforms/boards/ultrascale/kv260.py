"""AMD Kria KV260: a K26 module on its carrier card.

Source: DS987, "Kria K26 SOM Data Sheet" (part). No pin of the fabric is used: the clock comes from
the processor, and the carrier card has no lights for the fabric (UG1089, "Kria KV260 Vision AI
Starter Kit User Guide").
"""

from __future__ import annotations

from typing import ClassVar

from amaranth.build import Connector, Resource
from amaranth.vendor import XilinxPlatform

from gateformer.gateware.memory.bus import MemoryShape

from ...support.verilog import VerilogByYosys, WithOverrides
from ..external_memory import ExternalMemory
from .ps8_inputs import HP_BYTES, HP_PORTS

PL_CLK0_MHZ = 100
"""What the boot firmware of the starter kits sets (PL0_REF_CTRL: 2,999.97 MHz through 2 and 15)."""
MEMORY = ExternalMemory.of(
    MemoryShape(ports=HP_PORTS, data_bytes=HP_BYTES), "DDR4", bits=64, transfers=2133, size=2 << 30
)
"""What the starter kit's boot firmware sets; four ports together read 13.3 GB/s there
(measured by others: github.com, bitnet-kv260)."""
TOOLCHAINS = {"vivado": "Vivado"}


class Kv260Platform(VerilogByYosys, XilinxPlatform, WithOverrides):
    """KV260, for ``toolchain="Vivado"`` alone."""

    device = "xck26"
    package = "sfvc784"
    speed = "2LV-c"
    default_clk = None
    resources: ClassVar[list[Resource]] = []
    connectors: ClassVar[list[Connector]] = []
    lights = ()
