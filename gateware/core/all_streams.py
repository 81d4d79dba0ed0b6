"""What a console drives of a core with several streams: the first one, or for ``/bench`` all."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .ports import core_signature, stream_port


class AllStreams(wiring.Component):
    """Between a console and the streams of a core.

    A text is the first stream's; the others stay idle. With ``bench`` all begin in one cycle, each
    with the prompt of token 0 and the first one's settings. Every token is taken at once then; the
    console gets one item, ``last``, a cycle after all are idle, and ``counted`` for each token.

    Parameters
    ----------
    vocab_size : int
    streams : int, 2 or more

    Members
    -------
    Those of :func:`gateware.core.ports.core_signature`, as of a core of one stream, and the same of
    each stream, flipped, with ``core_`` before the name (:func:`.stream_port`).
    bench : In(1)
        Constant while busy.
    counted : Out(1)
        A pulse per token of a bench, one cycle or more after its transfer.
    """

    def __init__(self, vocab_size: int, streams: int):
        self._streams = streams
        one = core_signature(vocab_size)
        super().__init__(
            {
                **one.members,
                **{
                    stream_port(f"core_{name}", stream): member
                    for stream in range(streams)
                    for name, member in one.flip().members.items()
                },
                "bench": In(1),
                "counted": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()

        def each(name: str) -> list:
            return [getattr(self, stream_port(f"core_{name}", n)) for n in range(self._streams)]

        for stream, settings in enumerate(each("settings")):
            for name in self.settings.signature.members:
                m.d.comb += getattr(settings, name).eq(getattr(self.settings, name))
            if stream:
                m.d.comb += each("start")[stream].eq(self.start & self.bench)
        first, *others = each("prompt")
        wiring.connect(m, wiring.flipped(self.prompt), wiring.flipped(first))
        for prompt in others:  # taken together with the first one's, which is as long
            m.d.comb += [prompt.valid.eq(self.prompt.valid), prompt.payload.last.eq(1)]
        busy, outputs = each("busy"), each("output")
        any_busy, running = Cat(busy).any(), Signal()
        # a register: the console's state hangs on its item
        idle = Signal(reset_less=True)
        m.d.sync += idle.eq(~any_busy)
        m.d.comb += [
            self.core_start.eq(self.start),
            *(abort.eq(self.abort) for abort in each("abort")),
            self.context_full.eq(self.core_context_full),
            self.busy.eq(any_busy),
            self.output.valid.eq(Mux(self.bench, running & idle, outputs[0].valid)),
            self.output.payload.token.eq(outputs[0].payload.token),
            self.output.payload.last.eq(self.bench | outputs[0].payload.last),
            outputs[0].ready.eq(self.bench | self.output.ready),
            *(output.ready.eq(1) for output in outputs[1:]),
        ]
        # streams are busy from the cycle after the start on, and `running` a cycle later, when
        # `idle` knows
        begun = Signal()
        m.d.sync += begun.eq(self.start & self.bench)
        with m.If(begun):
            m.d.sync += running.eq(1)
        with m.If(self.abort | (running & idle & self.output.ready)):  # the bench's item is taken
            m.d.sync += running.eq(0)
        self._count(m, outputs)
        return m

    def _count(self, m: Module, outputs: list):
        """Tokens, of which several may come in one cycle, one by one."""
        transfers = Signal(len(outputs), reset_less=True)
        m.d.sync += transfers.eq(Cat(output.valid & self.bench for output in outputs))
        left = Signal(range(2 * len(outputs)))
        m.d.comb += self.counted.eq(left.any())
        m.d.sync += left.eq(left - self.counted + sum(transfers))
