"""Top level for a Zynq UltraScale+ board: processor, clock, registers and core."""

from __future__ import annotations

from fractions import Fraction

from amaranth.build import Platform
from amaranth.hdl import Module, Value

from gateformer.gateware.host.any_core import AnyProgram

from ...families.xcup import XCUP
from ...families.xilinx_clock import UltrascaleClock
from ...families.zynq_address import ULTRASCALE_BASE_ADDRESS
from ..axi_bridge import AXI4_HPM
from ..zynq_top import ProcessorTop, port_count
from .ps8 import PRIMITIVE, ProcessingSystem8
from .ps8_inputs import tied_inputs

CLOCK_FILE = "pl_clk0.xdc"


class ZynqmpTop(ProcessorTop):
    """Accelerator on a Zynq UltraScale+ board, for its processor, from whose pl_clk0 its clock is.

    The registers are at M_AXI_HPM0_LPD, the memory at S_AXI_HP. In reset while software holds
    pl_resetn0.

    Parameters, attributes and errors as :class:`platforms.boards.zynq_top.ProcessorTop`, with
    the frequency of pl_clk0 as ``input_mhz``.
    """

    generator, family_dsp = UltrascaleClock, XCUP.dsp
    port, base_address = AXI4_HPM, ULTRASCALE_BASE_ADDRESS
    hardware = (*ProcessorTop.hardware, ProcessingSystem8)

    def __init__(self, program: AnyProgram, *, input_mhz: Fraction, **options):
        self._input_mhz = input_mhz
        super().__init__(program, input_mhz=input_mhz, **options)

    def processor_facts(self, program: AnyProgram) -> tuple:
        return (tied_inputs(port_count(program)),)

    def clock_pin(self, m: Module, platform: Platform) -> Value:
        m.submodules.processor = self._processor = ProcessingSystem8(
            hp_ports=port_count(self.program)
        )
        # at the pin, as Vivado's own wrapper has it: no net is sure to have its name there
        pin, period = f"processor/{PRIMITIVE}/PLCLK[0]", float(1000 / self._input_mhz)
        constraint = f'create_clock -name pl_clk0 -period {period} [get_pins "{pin}"]\n'
        platform.add_file(CLOCK_FILE, constraint)
        return self._processor.pl_clk0

    def processing_system(self, m: Module) -> tuple:
        return self._processor, self._processor.pl_reset0
