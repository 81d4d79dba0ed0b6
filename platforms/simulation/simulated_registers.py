"""A processor's registers in compiled simulation: the same accesses, over AXI3, bridge and core."""

from __future__ import annotations

from gateformer.gateware.host.any_core import AnyProgram
from gateformer.gateware.host.registers import register
from gateformer.gateware.host.streamed_registers import STREAMED_REGISTERS
from gateformer.gateware.memory.bus import Burst, Response
from gateformer.gateware.streamed.program import StreamedProgram
from gateformer.model.support.cache import digest

from ..boards.axi_bridge import AxiBridge
from ..boards.zynq_top import BASE_ADDRESS, ZynqSystem
from ..families.zynq_address import IMAGE_FILE_ADDRESS
from ..host.image_file import HEADER_BYTES
from ..host.register_access import RegisterAccess
from ..support.build_id import sources_of
from ..support.design_digest import design_digest
from .compiled_simulation import CompiledSimulation
from .simulated_memory import MemoryTiming
from .zynq_memory import ZynqMemory

WORD_SIZE = 2
"""AxSIZE of a word."""
ALL_BYTES = 0b1111
LONGEST_ACCESS = 1000
"""Cycles in which every access is answered."""
BUILD_ID = 0x51A1A7ED
RESET_CYCLES = 1000
"""Of a reset: as long as anything under way on the bus may take."""
_CONTROL = register("CONTROL", STREAMED_REGISTERS)
_IMAGE_STATUS = register("IMAGE_STATUS", STREAMED_REGISTERS)


class BusError(Exception):
    """An access was not answered with OKAY: a processor would take a data abort."""


class SimulatedRegisters(RegisterAccess):
    """A :class:`ZynqSystem` whose clock runs while its registers are accessed, and in :meth:`run`.

    Parameters
    ----------
    program : Program, DecoderProgram or StreamedProgram
    clock_khz : int
        What CLOCK_KHZ reads.
    timing : MemoryTiming, optional
        Of the memory of a StreamedProgram.

    Attributes
    ----------
    simulation : CompiledSimulation
    memory : ZynqMemory or None
        That of a StreamedProgram, with room for a whole image file, from where U-Boot puts it.
    access_cycles : int
        Clock cycles that all accesses so far took.

    Raises
    ------
    UserError
        If there is no C++ compiler.
    """

    name = "the simulation"

    def __init__(
        self,
        program: AnyProgram,
        *,
        clock_khz: int = 125_000,
        timing: MemoryTiming | None = None,
    ):
        sources = sources_of((ZynqSystem, AxiBridge))
        facts = (design_digest(program), "zynq", str(clock_khz), str(BUILD_ID), *sources)
        system = ZynqSystem(program, build_id=BUILD_ID, clock_khz=clock_khz, dsp="generic")
        self.simulation = simulation = CompiledSimulation(system, key=digest(*facts))
        self._read_address = simulation.driver("axi__araddr", "axi__arvalid", "axi__arready")
        self._write_address = simulation.driver("axi__awaddr", "axi__awvalid", "axi__awready")
        self._write_data = simulation.driver("axi__wdata", "axi__wvalid", "axi__wready")
        self._data = simulation.taker(["axi__rdata", "axi__rresp"], "axi__rvalid", "axi__rready")
        self._done = simulation.taker(["axi__bresp"], "axi__bvalid", "axi__bready")
        for channel in ("ar", "aw"):
            simulation.set(f"axi__{channel}size", WORD_SIZE)
            simulation.set(f"axi__{channel}burst", Burst.INCR.value)
        simulation.set("axi__wstrb", ALL_BYTES)
        simulation.set("axi__wlast", 1)
        self.access_cycles = 0
        self._verifying = False
        self.memory: ZynqMemory | None = None
        if isinstance(program, StreamedProgram):
            self.memory = ZynqMemory(
                simulation,
                program.memory,
                address=IMAGE_FILE_ADDRESS,
                size=HEADER_BYTES + program.facts.memory_bytes,
                timing=timing,
            )

    @property
    def busy(self) -> bool:
        """Whether the core is generating, or may still be reading its image."""
        return self._verifying or bool(self.simulation.get("busy"))

    def run(self, cycles: int) -> None:
        """Let the clock run without an access."""
        self.simulation.step(cycles)

    def reset(self) -> None:
        """Hold everything in reset, and let go."""
        for held in (1, 0):
            self.simulation.set("reset", held)
            self.simulation.step(RESET_CYCLES)
        self._verifying = False

    def read(self, offset: int) -> int:
        """The word; BusError if the bus refuses."""
        self._read_address.feed([BASE_ADDRESS + offset])
        values = self._answer(self._data, offset)
        self._check("reading", offset, values["axi__rresp"])
        word = values["axi__rdata"]
        if self.memory is not None:
            self.memory.bus.check()
            if offset == _IMAGE_STATUS.offset:
                self._verifying = bool(_IMAGE_STATUS.unpack(word)["verifying"])
        return word

    def write(self, offset: int, value: int) -> None:
        """Write the word; BusError if the bus refuses."""
        if self.memory is not None and offset == _CONTROL.offset:
            self._verifying = bool(value & _CONTROL.field("verify").mask)
        self._write_address.feed([BASE_ADDRESS + offset])
        self._write_data.feed([value])
        self._check("writing", offset, self._answer(self._done, offset)["axi__bresp"])

    def _answer(self, channel, offset: int) -> dict[str, int]:
        begun = self.simulation.cycles
        if not self.simulation.run_until(channel, 1, LONGEST_ACCESS):
            raise RuntimeError(f"the bus did not answer at 0x{offset:03X}")
        self.access_cycles += self.simulation.cycles - begun
        _, values = channel.last()
        channel.clear()
        return values

    @staticmethod
    def _check(what: str, offset: int, response: int) -> None:
        if response != Response.OKAY.value:
            raise BusError(f"{what} 0x{offset:03X} was answered {Response(response).name}")
