"""The core with its console: behind bytes (:class:`ConsoleCore`), behind a UART."""

from __future__ import annotations

from amaranth.hdl import Module, ResetInserter
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..core.all_streams import AllStreams
from ..core.ports import core_signature, further_ports, stream_port
from ..decoder.program import DecoderProgram
from ..host.any_core import AnyProgram, build_core
from ..host.identification import Identification
from ..parts.receive_queue import ReceiveQueue
from ..parts.uart import UartReceiver, UartTransmitter, uart_divisor
from ..plan.serial_line import DEFAULT_BAUD
from ..streamed.program import StreamedProgram
from .console_frame import ConsoleFrame
from .image import further_sections, load_texts
from .imported.piece_console import PieceConsole
from .imported.pieces import Pieces
from .text_console import TextConsole
from .vocabulary import token_texts


class ConsoleCore(wiring.Component):
    """Core, console and receive queue; bytes in and out.

    Parameters
    ----------
    program : Program or DecoderProgram
        Its model's vocabulary is the console's.
    name : str
        The model's name.
    build_id : int, 32 bits
    clock_hz : int
        Shown by ``/info``.
    dsp : str
        Multiplier family, as of :class:`Core`.
    silence : int, optional
        With ``program.hw.reload``: cycles without a byte after which no more of an image comes; by
        default a second.

    Members
    -------
    received : In(stream of 8 bits)
        Always ready; what the queue has no room for is lost, and said to be.
    reset : In(1), synchronous, for two or more cycles; the core follows a cycle later
    damaged : In(1)
        The item at ``received`` stands for a byte that was not received whole.
    sent : Out(stream of 8 bits)
    busy, context_full : Out(1), the core's

    Raises
    ------
    UserError
        If a token's text is not one character, or the same as another's; of an imported model as
        :meth:`.Pieces.of`.
    TypeError, ValueError
        As :class:`Identification`; TypeError also of a StreamedProgram.
    """

    def __init__(
        self,
        program: AnyProgram,
        *,
        name: str,
        build_id: int,
        clock_hz: int,
        dsp: str = "generic",
        silence: int | None = None,
    ):
        if isinstance(program, StreamedProgram):
            raise TypeError("ConsoleCore has no memory bus, which a StreamedProgram's core needs")
        if isinstance(program, DecoderProgram):
            self._pieces = Pieces.of(program.model)
        else:
            token_texts(program.model.vocabulary)  # refuses what the console can't send
        self._program, self._name, self._dsp = program, name, dsp
        self._silence = clock_hz if silence is None else silence
        self._identification = Identification.of(program, build_id, round(clock_hz / 1000))
        super().__init__(
            {
                "received": In(stream.Signature(8)),
                "damaged": In(1),
                "reset": In(1),
                "sent": Out(stream.Signature(8)),
                "busy": Out(1),
                "context_full": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        queue = ReceiveQueue()
        m.submodules.queue = ResetInserter(self.reset)(queue)
        model, reload = self._program.model, self._program.hw.reload
        further = further_sections(model.config.vocab_size) if reload else []
        console = self._build_console()
        m.submodules.console = ResetInserter(self.reset)(console)
        m.submodules.core = core = build_core(self._program, dsp=self._dsp, further=further)
        wiring.connect(m, queue.queued, console.queued)
        wiring.connect(m, console.sent, wiring.flipped(self.sent))
        if self._program.streams > 1:
            core = self._with_all_streams(m, console, core)
        wiring.connect(m, console.prompt, core.prompt)
        wiring.connect(m, core.output, console.output)
        wiring.connect(m, console.settings, core.settings)
        m.d.comb += [
            queue.received.valid.eq(self.received.valid),
            queue.received.payload.byte.eq(self.received.payload),
            queue.received.payload.damaged.eq(self.damaged),
            self.received.ready.eq(queue.received.ready),
            console.interrupt.eq(queue.interrupt),
            core.start.eq(console.start),
            core.abort.eq(console.abort | self.reset),
            console.busy.eq(core.busy),
            console.context_full.eq(core.context_full),
            self.busy.eq(core.busy),
            self.context_full.eq(core.context_full),
        ]
        if reload:
            self._connect_load(m, queue, console, core, further)
        return m

    def _with_all_streams(self, m: Module, console, core) -> AllStreams:
        """The core as one of one stream; with ``/bench`` it is all of them."""
        streams, config = self._program.streams, self._program.model.config
        unit = AllStreams(config.vocab_size, streams)
        m.submodules.streams = ResetInserter(self.reset)(unit)
        m.d.comb += [unit.bench.eq(console.bench), console.counted.eq(unit.counted)]
        for number in range(streams):
            for name, member in core_signature(config.vocab_size).members.items():
                here = getattr(unit, stream_port(f"core_{name}", number))
                there = getattr(core, stream_port(name, number))
                if member.is_signature:
                    wiring.connect(m, here, there)
                else:
                    m.d.comb += there.eq(here) if member.flow is In else here.eq(there)
        return unit

    def _build_console(self) -> ConsoleFrame:
        facts = {"name": self._name, "identification": self._identification}
        if isinstance(self._program, DecoderProgram):
            return PieceConsole(**facts, pieces=self._pieces)
        model, reload = self._program.model, self._program.hw.reload
        return TextConsole(
            **facts,
            vocabulary=model.vocabulary,
            logit_scale=model.logit_scale,
            load=load_texts(self._program) if reload else None,
            silence=self._silence,
        )

    def _connect_load(self, m: Module, queue, console, core, further):
        """What is the image's, from the queue to the console, and from there to the core."""
        with m.If(console.raw):
            m.d.comb += queue.received.valid.eq(0)
        wiring.connect(m, console.load_words, core.load_words)
        m.d.comb += [
            console.raw_bytes.valid.eq(self.received.valid),
            console.raw_bytes.payload.eq(self.received.payload),
            core.load_begin.eq(console.load_begin),
            console.load_status.eq(core.load_status),
        ]
        for name, member in further_ports(further).items():
            here, there = getattr(console, name), getattr(core, name)
            m.d.comb += here.eq(there) if member.flow is Out else there.eq(here)


class ConsoleSystem(wiring.Component):
    """:class:`ConsoleCore` behind a UART: 8 data bits, no parity, 1 stop bit.

    Parameters
    ----------
    program, name, build_id, dsp : see :class:`ConsoleCore`
    clock_hz : int
        Frequency of the domain ``sync``.
    baud : int

    Members
    -------
    rx : In(1), asynchronous; tx : Out(1)
        Serial lines, high when idle.
    reset : In(1), synchronous
    busy, context_full : Out(1), the core's

    Raises
    ------
    UserError
        As :class:`ConsoleCore`, and :func:`gateware.parts.uart.uart_divisor` if the clock cannot
        make the baud rate.
    """

    def __init__(
        self,
        program: AnyProgram,
        *,
        name: str,
        build_id: int,
        clock_hz: int,
        baud: int = DEFAULT_BAUD,
        dsp: str = "generic",
    ):
        self._divisor = uart_divisor(clock_hz, baud)
        self._core = ConsoleCore(program, name=name, build_id=build_id, clock_hz=clock_hz, dsp=dsp)
        super().__init__(
            {
                "rx": In(1, init=1),
                "reset": In(1),
                "tx": Out(1, init=1),
                "busy": Out(1),
                "context_full": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        receiver, transmitter = UartReceiver(self._divisor), UartTransmitter(self._divisor)
        m.submodules.receiver = ResetInserter(self.reset)(receiver)
        m.submodules.transmitter = ResetInserter(self.reset)(transmitter)
        m.submodules.core = core = self._core
        wiring.connect(m, core.sent, transmitter.bytes)
        m.d.comb += [
            receiver.rx.eq(self.rx),
            core.reset.eq(self.reset),
            self.tx.eq(transmitter.tx),
            core.received.valid.eq(receiver.received.valid),
            core.received.payload.eq(receiver.received.payload.byte),
            core.damaged.eq(receiver.received.payload.damaged),
            receiver.received.ready.eq(core.received.ready),
            self.busy.eq(core.busy),
            self.context_full.eq(core.context_full),
        ]
        return m
