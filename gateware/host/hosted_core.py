"""The core with its host interface: what every system with a processor instantiates."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, ResetInserter
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..core.ports import stream_port
from ..streamed.ports import bus_ports, image_ports
from ..streamed.program import StreamedProgram
from .any_core import AnyProgram, build_core
from .axi_lite import axi_lite_signature
from .host_interface import HostInterface
from .register import ADDRESS_WIDTH


class HostedCore(wiring.Component):
    """A core behind the AXI4-Lite registers of :mod:`gateware.host.registers`.

    In the clock domain ``sync``, which needs no reset: ``reset`` is enough, and leaves the core a
    reset of its own that comes straight from a register.

    Parameters
    ----------
    program : Program or DecoderProgram
    build_id : int, 32 bits
    clock_khz : int, 32 bits
        What the registers BUILD_ID and CLOCK_KHZ read.
    dsp : str
        As :class:`gateware.core.core.Core`.

    Members
    -------
    axi : In(axi_lite_signature(12))
    reset : In(1), synchronous
        The core follows a cycle later, so that a token of a sequence it interrupts can reach the
        host's FIFO if it lasts one cycle only; for a clean state hold it for two or more.
    busy, context_full : Out(1)
        As :class:`gateware.core.core.Core`; of several streams, whether any is busy, and the first
        one's.
    read0, …, write0, …
        With a StreamedProgram: as :func:`gateware.streamed.ports.bus_ports`.

    Raises
    ------
    TypeError, ValueError
        As :class:`gateware.host.host_interface.HostInterface`.
    """

    def __init__(self, program: AnyProgram, *, build_id: int, clock_khz: int, dsp: str = "generic"):
        model, hw = program.model, program.hw
        streamed = isinstance(program, StreamedProgram)
        self._image = program.facts if streamed else None
        self._host = HostInterface(
            model.config,
            hw,
            digest=model.digest,
            build_id=build_id,
            clock_khz=clock_khz,
            limits=program.limits,
            image=self._image,
        )
        self._streams = self._host.identification.streams
        self._reload = hw.reload
        self._core = build_core(program, dsp=dsp)
        super().__init__(
            {
                "axi": In(axi_lite_signature(ADDRESS_WIDTH)),
                "reset": In(1),
                "busy": Out(1),
                "context_full": Out(1),
                **(bus_ports(program.memory) if streamed else {}),
            }
        )

    def elaborate(self, platform):
        m = Module()
        host, core = self._host, self._core
        if host.is_shared:
            m.submodules.host = host
            m.d.comb += host.reset.eq(self.reset)
        else:
            m.submodules.host = ResetInserter(self.reset)(host)
        m.submodules.core = core
        wiring.connect(m, wiring.flipped(self.axi), host.axi)
        busy = []
        for number in range(self._streams):

            def of(unit, name: str, number=number):
                return getattr(unit, stream_port(name, number))

            wiring.connect(m, of(host, "prompt"), of(core, "prompt"))
            wiring.connect(m, of(core, "output"), of(host, "output"))
            wiring.connect(m, of(host, "settings"), of(core, "settings"))
            m.d.comb += [
                of(core, "start").eq(of(host, "start")),
                of(core, "abort").eq(of(host, "abort") | self.reset),
                of(host, "busy").eq(of(core, "busy")),
                of(host, "context_full").eq(of(core, "context_full")),
            ]
            busy.append(of(core, "busy"))
            if self._image is not None:
                m.d.comb += of(host, "saturations").eq(of(core, "saturations"))
        m.d.comb += [self.busy.eq(Cat(busy).any()), self.context_full.eq(core.context_full)]
        if self._image is not None:
            shape = self._image.memory
            for name in bus_ports(shape):
                wiring.connect(m, getattr(core, name), wiring.flipped(getattr(self, name)))
            for name, member in image_ports(shape).items():
                into, out = (core, host) if member.flow == In else (host, core)
                m.d.comb += getattr(into, name).eq(getattr(out, name))
        if self._reload:
            wiring.connect(m, host.load_words, core.load_words)
            m.d.comb += [
                core.load_begin.eq(host.load_begin),
                core.digest_address.eq(host.digest_address),
                host.load_status.eq(core.load_status),
                host.digest_word.eq(core.digest_word),
            ]
        return m
