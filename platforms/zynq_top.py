"""Top level for a Zynq-7000 board: processor, clock, registers and core."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from amaranth.hdl import ClockDomain, Elaboratable, Module, Signal
from amaranth.lib import io, wiring
from amaranth.lib.wiring import In, Out

from gateware.core import Core
from gateware.host_interface import HostInterface
from gateware.program import Program
from gateware.register import ADDRESS_WIDTH

from .axi3_bridge import Axi3Bridge, axi3_signature
from .cache import digest
from .design_digest import design_digest
from .xilinx_clock import XilinxClock, find_mmcm
from .zynq_ps7 import ProcessingSystem

BASE_ADDRESS = 0x43C0_0000
"""Byte address of the registers for the processor, in M_AXI_GP0's 0x4000_0000-0x7FFF_FFFF."""
DSP = "dsp48e1"
_HARDWARE_FILES = ("axi3_bridge.py", "xilinx_clock.py", "zybo.py", "zynq_ps7.py", "zynq_top.py")
BUSY_LED, CONTEXT_FULL_LED, HEARTBEAT_LED = 0, 1, 3


def build_id(program: Program, clock_mhz: Fraction) -> int:
    """32 bits that name a design: digest of the core, the clock and what is around the core."""
    here = Path(__file__).parent
    around = [(here / name).read_text(encoding="utf-8") for name in _HARDWARE_FILES]
    return int(digest(design_digest(program), str(clock_mhz), *around)[:8], 16)


class ZynqSystem(wiring.Component):
    """Everything on the fabric but clock and processor: bridge, registers and core.

    Parameters
    ----------
    program : Program
    build_id : int, 32 bits
    clock_khz : int
    dsp : str
        As :class:`gateware.core.Core`.

    Members
    -------
    axi : In(axi3_signature()); the registers (docs/registers.md) are at ``BASE_ADDRESS``
    busy, context_full : Out(1)
    """

    def __init__(self, program: Program, *, build_id: int, clock_khz: int, dsp: str):
        model = program.model
        self._host = HostInterface(
            model.config, program.hw, digest=model.digest, build_id=build_id, clock_khz=clock_khz
        )
        self._core = Core(program, dsp=dsp)
        super().__init__(
            {"axi": In(axi3_signature()), "busy": Out(1), "context_full": Out(1)},
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.bridge = bridge = Axi3Bridge(BASE_ADDRESS, ADDRESS_WIDTH)
        m.submodules.host = host = self._host
        m.submodules.core = core = self._core
        wiring.connect(m, wiring.flipped(self.axi), bridge.axi)
        wiring.connect(m, bridge.lite, host.axi)
        wiring.connect(m, host.prompt, core.prompt)
        wiring.connect(m, core.output, host.output)
        wiring.connect(m, host.settings, core.settings)
        m.d.comb += [
            core.start.eq(host.start),
            core.abort.eq(host.abort),
            host.busy.eq(core.busy),
            host.context_full.eq(core.context_full),
            self.busy.eq(core.busy),
            self.context_full.eq(core.context_full),
        ]
        return m


class ZynqTop(Elaboratable):
    """Accelerator on a Zynq-7000 board whose platform has ``leds`` and a clock input.

    One clock domain, ``sync``, made from the board's clock; it also clocks M_AXI_GP0. In reset
    while the clock is not locked or the processor holds FCLK_RESET0 (UG585: it does until its
    boot code has loaded the fabric). All of M_AXI_GP0's range but the registers answers DECERR.
    LED 0: busy, 1: context full, 3: heartbeat of about 1 Hz, which runs in reset, too.

    Parameters
    ----------
    program : Program
    clock_mhz : Fraction
        Clock of the core.
    input_mhz : Fraction
        The board's clock.

    Raises
    ------
    UserError
        If the clock can't be made (names the nearest that can).
    """

    def __init__(self, program: Program, *, clock_mhz: Fraction, input_mhz: Fraction):
        if clock_mhz != input_mhz:
            clock_mhz = find_mmcm(input_mhz, clock_mhz).output_mhz
        self.program = program
        self.clock_mhz = clock_mhz
        self._input_mhz = input_mhz
        self.build_id = build_id(program, clock_mhz)

    def elaborate(self, platform):
        m = Module()
        m.domains.sync = ClockDomain("sync")
        m.submodules.processor = processor = ProcessingSystem()
        clock_pin = platform.request(platform.default_clk, dir="-")
        m.submodules.clock_input = clock_input = io.Buffer("i", clock_pin)
        m.submodules.clock = XilinxClock(
            clock_input.i, self._input_mhz, self.clock_mhz, processor.fclk_reset0
        )
        m.submodules.system = system = ZynqSystem(
            self.program, build_id=self.build_id, clock_khz=round(self.clock_mhz * 1000), dsp=DSP
        )
        wiring.connect(m, processor.axi, system.axi)
        heartbeat = Signal(range(int(self.clock_mhz * 10**6)), reset_less=True)
        m.d.sync += heartbeat.eq(heartbeat + 1)
        self._light(m, platform, BUSY_LED, system.busy)
        self._light(m, platform, CONTEXT_FULL_LED, system.context_full)
        self._light(m, platform, HEARTBEAT_LED, heartbeat[-1])
        return m

    @staticmethod
    def _light(m: Module, platform, number: int, value):
        pin = platform.request("led", number, dir="-")
        m.submodules[f"led_{number}"] = led = io.Buffer("o", pin)
        m.d.comb += led.o.eq(value)
