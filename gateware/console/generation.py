"""One generation: prompt to the core, tokens to text, counts."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from gateformer.model.contract.config import ModelConfig

from ..compiler.program import PROMPT_OVERHEAD
from ..core.token_loop import COUNT_BITS, token_stream
from ..parts.delay import delayed
from .counter import COUNTER_BITS, RingCounter
from .messages import Ending
from .vocabulary import TEMPERATURE_LAYOUT, TEXT_BYTES, TEXT_LAYOUT


class Generation(wiring.Component):
    """Runs the core once and sends the text of its tokens.

    Parameters
    ----------
    config : ModelConfig
    value_bits : int
        Of the line editor's entries.
    streams : int
        Of the core; with several, a bench is of all of them (:mod:`gateware.core.all_streams`).

    Members
    -------
    start : In(1)
        A pulse begins a generation; not while busy.
    bench : In(1)
        Greedy, from token 0, until the context is full, without text. Constant while busy.
    stop : In(1)
        Aborts the core; ignored in the cycle in which a token is taken, and once the last one has
        been.
    busy : Out(1), from the cycle after ``start`` until the text is sent
    ending : Out(Ending)
    phase : In(5), the number unit's
    text_tokens, cycles, waiting : Out(1)
        Counts, of each the bit of the phase that comes next; complete 64 cycles after the end,
        until the next ``start``.
        ``cycles`` counts those from the first one of the first prompt token's program to the one
        in which the last output token is taken, both included, less those in which the core
        offers a token that is not taken; ``waiting`` counts these. Modulo 2**32.
    rewind, advance : Out(1), value : In, at_end : In(1)
        The line editor's, for the prompt.
    look_up, look_up_temperature : Out(1), token : Out; text, temperature : In
        The vocabulary's.
    tokens : In
        The setting; ``count`` is 0 for ``bench``.
    mult, shift, count : Out
        The core's settings, from the cycle before ``core_start`` on.
    prompt : Out(token stream), output : In(token stream), its ``ready`` straight from a register
    core_start, core_abort : Out(1); core_busy, context_full : In(1)
    sent : Out(stream of 8 bits)
    counted : In(1), with several streams
        A token of a bench, whose one output stands for none.
    """

    TEMPERATURE = TEMPERATURE_LAYOUT
    """What the vocabulary says of a temperature."""
    TEXT = wiring.Signature({"text": In(TEXT_LAYOUT)})
    """What it says of a token's text."""

    def __init__(self, config: ModelConfig, *, value_bits: int, streams: int = 1):
        self._streams = streams
        vocab_size = config.vocab_size
        super().__init__(
            {
                "start": In(1),
                "bench": In(1),
                "stop": In(1),
                "busy": Out(1),
                "ending": Out(Ending),
                "phase": In(range(COUNTER_BITS)),
                "text_tokens": Out(1),
                "cycles": Out(1),
                "waiting": Out(1),
                "rewind": Out(1),
                "advance": Out(1),
                "value": In(value_bits),
                "at_end": In(1),
                "look_up": Out(1),
                "look_up_temperature": Out(1),
                "token": Out(range(vocab_size)),
                **self.TEXT.members,
                "temperature": In(self.TEMPERATURE),
                "tokens": In(COUNT_BITS),
                "count": Out(COUNT_BITS),
                "mult": Out(self.TEMPERATURE["mult"].shape),
                "shift": Out(self.TEMPERATURE["shift"].shape),
                "prompt": Out(token_stream(vocab_size)),
                "output": In(token_stream(vocab_size)),
                "core_start": Out(1),
                "core_abort": Out(1),
                "core_busy": In(1),
                "context_full": In(1),
                "sent": Out(stream.Signature(8)),
                **({"counted": In(1)} if streams > 1 else {}),
            }
        )

    def elaborate(self, platform):
        m = Module()
        mult = Signal.like(self.mult, reset_less=True)
        count = Signal.like(self.count, reset_less=True)
        taken, is_last = Signal(), Signal(reset_less=True)
        m.d.comb += [
            taken.eq(self.output.valid & self.output.ready),
            *(self.mult.eq(mult), self.count.eq(count)),
            self.token.eq(self.output.payload.token),
        ]
        self._settled = Signal()
        ready = Signal()
        m.d.comb += self.output.ready.eq(ready)
        m.d.sync += ready.eq(0)
        stopped = Signal()
        self._feed(m, stopped)
        self._count(m, taken)
        with m.FSM() as fsm:
            m.d.comb += [self.busy.eq(~fsm.ongoing("IDLE")), stopped.eq(fsm.ongoing("STOP"))]
            with m.State("IDLE"), m.If(self.start):
                m.d.comb += [self.look_up_temperature.eq(1), self.rewind.eq(1)]
                m.next = "READ TEMPERATURE"
            with m.State("READ TEMPERATURE"):
                m.next = "FETCH TEMPERATURE"
            with m.State("FETCH TEMPERATURE"):
                m.next = "SET TEMPERATURE"
            with m.State("SET TEMPERATURE"):
                m.d.sync += [
                    mult.eq(self.temperature.mult),
                    self.shift.eq(self.temperature.shift),
                    count.eq(self.tokens),
                ]
                with m.If(self.bench):
                    m.d.sync += [mult.eq(0), count.eq(0)]
                m.next = "START"
            with m.State("START"):
                m.d.comb += self.core_start.eq(1)
                m.next = "RUN"
            with m.State("RUN"):
                m.d.sync += ready.eq(self._settled & ~self.stop & ~taken)
                # of what is at the port, also while nothing is
                m.d.comb += self.look_up.eq(1)
                m.d.sync += is_last.eq(self.output.payload.last)
                self._look_at_token(m, taken)
                with m.If(taken):
                    with m.If(~self.bench):
                        m.next = "READ TEXT"
                    with m.Elif(self.output.payload.last):
                        m.next = "END"
                with m.Elif(self.stop):
                    m.d.comb += self.core_abort.eq(1)
                    m.d.sync += self.ending.eq(Ending.STOPPED)
                    m.next = "STOP"
            with m.State("STOP"):  # the core is in reset
                m.next = "IDLE"
            self._send_text(m, is_last)
            with m.State("END"):
                m.d.sync += self.ending.eq(Mux(self.context_full, Ending.CONTEXT, Ending.COUNT))
                m.next = "IDLE"
        return m

    def _look_at_token(self, m: Module, taken):
        """What else is to be known of the token at the port."""

    def _core_runs(self) -> Value:
        """Whether the core works for this generation."""
        return self.core_busy

    @staticmethod
    def _proceed(m: Module, is_last):
        """After a token's text."""
        with m.If(is_last):
            m.next = "END"
        with m.Else():
            m.next = "RUN"

    def _send_text(self, m: Module, is_last):
        """States from READ TEXT on, in the cycle after a token was taken."""
        text = self.text
        left = Signal(range(TEXT_BYTES), reset_less=True)  # bytes after the present one
        with m.State("READ TEXT"):
            m.next = "FETCH TEXT"
        with m.State("FETCH TEXT"):
            m.next = "LOOK"
        with m.State("LOOK"):
            m.d.sync += left.eq(text.first)
            m.next = "SEND"
            with m.If(text.empty):
                self._proceed(m, is_last)
        m.d.comb += self.sent.payload.eq(text.bytes.word_select(left, 8))
        with m.State("SEND"):
            m.d.comb += self.sent.valid.eq(1)
            with m.If(self.sent.ready):
                m.d.sync += left.eq(left - 1)
                with m.If(~left.any() | text.control):
                    self._proceed(m, is_last)

    def _feed(self, m: Module, stopped: Value):
        """The prompt, token by token; each is there long before the core is ready for it."""
        prompt = self.prompt
        token = Signal.like(prompt.payload.token, reset_less=True)
        step = Signal(3)  # 0: none; 1: entry being read; 2: taken; 3, 4: cursor compared
        offered = step == 5
        m.d.comb += [
            prompt.valid.eq(offered),
            prompt.payload.token.eq(token),
            prompt.payload.last.eq(self.bench | self.at_end),
            self.advance.eq(step == 2),
        ]
        with m.If(step.any() & ~offered):
            m.d.sync += step.eq(step + 1)
        with m.If(step == 2):
            m.d.sync += token.eq(self.value)
            with m.If(self.bench):
                m.d.sync += token.eq(0)
        with m.If(prompt.valid & prompt.ready):
            m.d.sync += step.eq(Mux(prompt.payload.last, 0, 1))
        with m.If(self.core_start):
            m.d.sync += step.eq(1)
        with m.If(stopped):
            m.d.sync += step.eq(0)

    def _count(self, m: Module, taken):
        begun = Signal()  # the core has its first prompt token
        # that token's program runs
        counting = begun & delayed(m, begun, PROMPT_OVERHEAD - 1, name="begun")
        # the counter of tokens has room for one in a turn of the phase
        with m.If(self.phase == COUNTER_BITS - 1):
            m.d.sync += self._settled.eq(1)
        with m.If(taken):
            m.d.sync += self._settled.eq(0)
        stalled = self.output.valid & ~self.output.ready
        running = counting & self._core_runs()
        token, most = taken, 1
        if self._streams > 1:
            token, most = Mux(self.bench, self.counted, taken), COUNTER_BITS
        events = {
            "text_tokens": (token, most),
            "cycles": (running & ~stalled, COUNTER_BITS),
            "waiting": (running & stalled, COUNTER_BITS),
        }
        for name, (event, most) in events.items():
            m.submodules[name] = counter = RingCounter(events=most)
            m.d.comb += [counter.phase.eq(self.phase), counter.clear.eq(self.core_start)]
            m.d.sync += counter.event.eq(event)
            m.d.comb += getattr(self, name).eq(counter.coming)
        with m.If(self.prompt.valid & self.prompt.ready):
            m.d.sync += begun.eq(1)
        with m.If(self.core_start):
            m.d.sync += begun.eq(0)
