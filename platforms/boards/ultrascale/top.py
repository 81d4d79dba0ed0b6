"""Top level for a Zynq UltraScale+ board: processor, clock, registers and core."""

from __future__ import annotations

from fractions import Fraction

from amaranth.build import Platform
from amaranth.hdl import Module, Value
from amaranth.lib import wiring

from gateformer.gateware.host.any_core import AnyProgram

from ...families.xcup import XCUP
from ...families.xilinx_clock import UltrascaleClock
from ...families.zynq_address import ULTRASCALE_BASE_ADDRESS
from ..axi_bridge import AXI4_HPM, AxiBridge
from ..board_top import BoardTop
from ..zynq_top import ZynqSystem, memory_ports, port_count
from .ps8 import PRIMITIVE, ProcessingSystem8
from .ps8_inputs import tied_inputs

CLOCK_FILE = "pl_clk0.xdc"


class ZynqmpTop(BoardTop):
    """Accelerator on a Zynq UltraScale+ board, for its processor, from whose pl_clk0 its clock is.

    The clock also clocks M_AXI_HPM0_LPD, and the S_AXI_HP ports through which the core of a
    StreamedProgram reads memory. In reset while the clock is not locked or software holds
    pl_resetn0. All of M_AXI_HPM0_LPD's range but the registers answers DECERR.

    Parameters, attributes and errors as :class:`platforms.boards.board_top.BoardTop`, with the
    frequency of pl_clk0 as ``input_mhz``; ``dsp`` as :class:`gateware.core.core.Core`.
    """

    hardware = (AxiBridge, ProcessingSystem8, ZynqSystem)

    def __init__(
        self,
        program: AnyProgram,
        *,
        platform: type,
        clock_mhz: Fraction,
        input_mhz: Fraction,
        dsp: str = XCUP.dsp,
    ):
        self._dsp, self._input_mhz = dsp, input_mhz
        super().__init__(
            program,
            platform=platform,
            clock=UltrascaleClock,
            clock_mhz=clock_mhz,
            input_mhz=input_mhz,
            facts=(ULTRASCALE_BASE_ADDRESS, dsp, tied_inputs(port_count(program))),
        )

    def clock_pin(self, m: Module, platform: Platform) -> Value:
        m.submodules.processor = self._processor = ProcessingSystem8(
            hp_ports=port_count(self.program)
        )
        # at the pin, as Vivado's own wrapper has it: no net is sure to have its name there
        pin, period = f"processor/{PRIMITIVE}/PLCLK[0]", float(1000 / self._input_mhz)
        constraint = f'create_clock -name pl_clk0 -period {period} [get_pins "{pin}"]\n'
        platform.add_file(CLOCK_FILE, constraint)
        return self._processor.pl_clk0

    def elaborate_system(self, m: Module, platform: Platform) -> tuple:
        m.d.comb += self.reset.eq(self._processor.pl_reset0)
        m.submodules.system = system = ZynqSystem(
            self.program,
            build_id=self.build_id,
            clock_khz=round(self.clock_mhz * 1000),
            dsp=self._dsp,
            port=AXI4_HPM,
            base_address=ULTRASCALE_BASE_ADDRESS,
        )
        wiring.connect(m, self._processor.axi, system.axi)
        for name in memory_ports(self.program):
            wiring.connect(m, getattr(system, name), getattr(self._processor, name))
        m.d.comb += system.reset.eq(self.held)
        return system.busy, system.context_full
