"""Top level for a device with a processor: clock, registers and core; that of a Zynq-7000 board."""

from __future__ import annotations

from fractions import Fraction

from amaranth.hdl import Module, ResetInserter, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from gateformer.gateware.host.any_core import AnyProgram
from gateformer.gateware.host.hosted_core import HostedCore
from gateformer.gateware.host.register import ADDRESS_WIDTH
from gateformer.gateware.streamed.ports import bus_ports
from gateformer.gateware.streamed.program import StreamedProgram

from ..families.clock import ClockGenerator
from ..families.xc7 import XC7
from ..families.xilinx_clock import XilinxClock
from ..families.zynq_address import BASE_ADDRESS
from .axi_bridge import AXI3_GP, AxiBridge, MasterPort, axi_signature
from .board_top import BoardTop
from .zynq_ps7 import ProcessingSystem


def memory_ports(program: AnyProgram) -> dict:
    """The ports to external memory of a system with the program's core; none without an image."""
    return bus_ports(program.memory) if isinstance(program, StreamedProgram) else {}


def port_count(program: AnyProgram) -> int:
    """How many such ports, of reads and writes each."""
    return program.memory.ports if isinstance(program, StreamedProgram) else 0


class ZynqSystem(wiring.Component):
    """Everything on the fabric but clock and processor: bridge, registers and core.

    Parameters
    ----------
    program : Program or DecoderProgram
    build_id : int, 32 bits
    clock_khz : int
    dsp : str
        As :class:`gateware.core.core.Core`.
    port : MasterPort
        The processor's.
    base_address : int
        Where the registers (docs/registers.md) are for it.

    Members
    -------
    axi : In(axi_signature(port))
    reset : In(1), synchronous
    busy, context_full : Out(1)
    read0, …, write0, …
        With a StreamedProgram: as :func:`gateware.streamed.ports.bus_ports`.
    """

    def __init__(
        self,
        program: AnyProgram,
        *,
        build_id: int,
        clock_khz: int,
        dsp: str,
        port: MasterPort = AXI3_GP,
        base_address: int = BASE_ADDRESS,
    ):
        self._program = program
        self._port, self._base_address = port, base_address
        self._facts = {"build_id": build_id, "clock_khz": clock_khz, "dsp": dsp}
        super().__init__(
            {
                "axi": In(axi_signature(port)),
                "reset": In(1),
                "busy": Out(1),
                "context_full": Out(1),
                **memory_ports(program),
            },
        )

    def elaborate(self, platform):
        m = Module()
        bridge = AxiBridge(self._port, self._base_address, ADDRESS_WIDTH)
        m.submodules.bridge = ResetInserter(self.reset)(bridge)
        m.submodules.hosted = hosted = HostedCore(self._program, **self._facts)
        for name in memory_ports(self._program):
            wiring.connect(m, getattr(hosted, name), wiring.flipped(getattr(self, name)))
        wiring.connect(m, wiring.flipped(self.axi), bridge.axi)
        wiring.connect(m, bridge.lite, hosted.axi)
        m.d.comb += [
            hosted.reset.eq(self.reset),
            self.busy.eq(hosted.busy),
            self.context_full.eq(hosted.context_full),
        ]
        return m


class ProcessorTop(BoardTop):
    """Accelerator for the processor of the same device.

    The clock also clocks the processor's port to the registers, and the ports through which the
    core of a StreamedProgram reads memory. In reset while the clock is not locked or the processor
    holds the fabric in reset. All of its port's range but the registers answers DECERR.

    Subclasses give :meth:`processing_system`, these class attributes, and in :attr:`hardware` the
    processor, too.

    Parameters, attributes and errors as :class:`platforms.boards.board_top.BoardTop`; ``dsp`` as
    :class:`gateware.core.core.Core`, None for the family's.

    Class attributes
    ----------------
    generator : type[ClockGenerator]
    family_dsp : str
    port : MasterPort
    base_address : int
        Of the registers, as :class:`ZynqSystem`.
    """

    generator: type[ClockGenerator]
    family_dsp: str
    port: MasterPort
    base_address: int
    hardware: tuple[type, ...] = (AxiBridge, ZynqSystem)

    def __init__(
        self,
        program: AnyProgram,
        *,
        platform: type,
        clock_mhz: Fraction,
        input_mhz: Fraction,
        dsp: str | None = None,
    ):
        self._dsp = self.family_dsp if dsp is None else dsp
        super().__init__(
            program,
            platform=platform,
            clock=self.generator,
            clock_mhz=clock_mhz,
            input_mhz=input_mhz,
            facts=(self.base_address, self._dsp, *self.processor_facts(program)),
        )

    def processor_facts(self, program: AnyProgram) -> tuple:
        """What else of the processor the design depends on, for the build id."""
        return ()

    def processing_system(self, m: Module) -> tuple[wiring.Component, Value]:
        """The processor, in ``m``, with ``axi`` and the program's memory ports; and its reset of
        the fabric, active high, asynchronous."""
        raise NotImplementedError

    def elaborate_system(self, m: Module, platform) -> tuple:
        processor, reset = self.processing_system(m)
        m.d.comb += self.reset.eq(reset)
        m.submodules.system = system = ZynqSystem(
            self.program,
            build_id=self.build_id,
            clock_khz=round(self.clock_mhz * 1000),
            dsp=self._dsp,
            port=self.port,
            base_address=self.base_address,
        )
        wiring.connect(m, processor.axi, system.axi)
        for name in memory_ports(self.program):
            wiring.connect(m, getattr(system, name), getattr(processor, name))
        m.d.comb += system.reset.eq(self.held)
        return system.busy, system.context_full


class ZynqTop(ProcessorTop):
    """Accelerator on a Zynq-7000 board, for its processor.

    The registers are at M_AXI_GP0, the memory at S_AXI_HP. The processor holds FCLK_RESET0 until
    its boot code has loaded the fabric (UG585).

    Parameters, attributes and errors as :class:`ProcessorTop`.
    """

    generator, family_dsp = XilinxClock, XC7.dsp
    port, base_address = AXI3_GP, BASE_ADDRESS
    hardware = (*ProcessorTop.hardware, ProcessingSystem)

    def processing_system(self, m: Module) -> tuple:
        m.submodules.processor = processor = ProcessingSystem(hp_ports=port_count(self.program))
        return processor, processor.fclk_reset0
