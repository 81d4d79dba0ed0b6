"""The line that is being typed: echo, editing, characters to tokens."""

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import enum, stream, wiring
from amaranth.lib.wiring import In, Out

from gateformer.model.contract.config import ModelConfig

from ..parts.one_hot import OneHot
from ..parts.receive_queue import QUEUED_LAYOUT
from .byte import ByteDecoder
from .line_addition import LineAddition
from .line_memory import LineMemory, entry_layout
from .line_state import LineState
from .messages import MAX_COMMAND, LineError
from .vocabulary import TEXT_BYTES

COMMAND_BITS = 7
"""Commands are printable ASCII."""


class Event(enum.Enum, shape=2):
    """What the editor waits for an answer to."""

    NONE = 0
    RUBOUT = 1
    """the last character is gone"""
    ERASED = 2
    ENTERED = 3
    """the line is complete"""


class LineEditor(wiring.Component):
    """Takes bytes from the queue, echoes them and keeps the line; docs/console.md has the rules.

    The line is a memory of tokens or, for a command, of bytes. A token that was written as an
    escape is flagged, so that the removal of its second character leaves a backslash. From the
    first error on, characters are only counted; when all of them have been removed again, the line
    is as if they had never been. A mark (bytes that are missing) cannot be removed, nor can
    anything from a line that has outgrown ``length``.

    What a byte does to the line, and what it is compared with, goes through registers: the line has
    settled long before the next byte is looked at.

    Parameters
    ----------
    config : ModelConfig

    Members
    -------
    enable : In(1)
        Bytes are taken only while it is high.
    queued : In(stream of QUEUED_LAYOUT), sent : Out(stream of 8 bits), the echo
    waiting : Out(1), for a byte
    event : Out(Event)
        Stays until ``resume``, a pulse.
    clear : In(1)
        Forgets the line; while waiting for a byte or with ``resume``. Needed once after a reset.
    forget_cr : In(1)
        An LF that comes next is an Enter whatever came before.
    length : Out, tokens or bytes of the line; empty : Out(1), there are none
    command, failed : Out(1); error : Out(LineError), the first one, if ``failed``
    reading, rewind, advance : In(1), value : Out, at_end : Out(1)
        ``value`` is the entry at a cursor, and ``at_end`` whether that is behind the last one,
        3 cycles after the cursor was moved to the first entry or on, while ``reading``.
    search : Out(1), character : Out(32); searching, found : In(1); token : In
        The vocabulary's.
    """

    SHORTENED = "READ"
    """The state that follows when the length is known again."""

    def __init__(self, config: ModelConfig):
        self._room = config.ctx_len  # tokens that a prompt may have
        token = range(config.vocab_size)
        self._depth = max(config.ctx_len, MAX_COMMAND)
        self._value_bits = max(COMMAND_BITS, (config.vocab_size - 1).bit_length())
        super().__init__(
            {
                "enable": In(1),
                "queued": In(stream.Signature(QUEUED_LAYOUT)),
                "sent": Out(stream.Signature(8)),
                "waiting": Out(1),
                "event": Out(Event),
                "resume": In(1),
                "clear": In(1),
                "forget_cr": In(1),
                "length": Out(range(2 * self._depth)),
                "empty": Out(1),
                "command": Out(1),
                "failed": Out(1),
                "error": Out(LineError),
                "reading": In(1),
                "rewind": In(1),
                "advance": In(1),
                "value": Out(self._value_bits),
                "at_end": Out(1),
                "search": Out(1),
                "character": Out(8 * TEXT_BYTES),
                "searching": In(1),
                "found": In(1),
                "token": In(token),
                **self._further_ports(),
            }
        )

    @property
    def prompt_length(self) -> Value:
        """Tokens of the prompt that the line is."""
        return self.length

    def _further_ports(self) -> dict[str, wiring.Member]:
        return {}

    def elaborate(self, platform):
        m = Module()
        self._item = item = Signal(QUEUED_LAYOUT, reset_less=True)
        self._after_cr = Signal()
        self._raised = Signal.like(self.event, reset_less=True)
        self._line = line = LineState(
            room=self._room,
            length=self.length,
            command=self.command,
            failed=self.failed,
            error=self.error,
        )
        m.submodules.decoder = decoder = ByteDecoder()
        self._is = decoder.is_
        m.submodules.memory = self._memory = self._build_memory()
        self._addition = addition = self._build_addition(decoder)
        m.d.comb += [
            self.sent.payload.eq(item.byte),
            decoder.byte.eq(item.byte),
            self.character.eq(self._sought()),
        ]
        line.begin(m)
        m.d.comb += self.empty.eq(line.is_empty)
        addition.choose(m)
        self._connect_memory(m)
        with OneHot(m, "WAIT") as self._fsm:
            with self._fsm.state("WAIT"):
                m.d.comb += [self.waiting.eq(1), self.queued.ready.eq(self.enable)]
                m.d.sync += item.eq(self.queued.payload)
                with m.If(self.queued.valid & self.enable):
                    self._fsm.next = "DECODE"
            with self._fsm.state("DECODE"):
                self._fsm.next = "CLASSIFY"
            self._classify(m)
            with self._fsm.state("ECHO"):
                m.d.comb += self.sent.valid.eq(1)
                with m.If(self.sent.ready):
                    self._fsm.next = "ADD"
            addition.add_states(m, self._fsm)
            self._found(m)
            self._restore(m)
            with self._fsm.state("EVENT"):
                m.d.sync += self.event.eq(self._raised)
                with m.If(self.resume):
                    m.d.sync += self.event.eq(Event.NONE)
                    self._resume(m)
        with m.If(self.forget_cr):
            m.d.sync += self._after_cr.eq(0)
        line.end(m, clear=self.clear)
        return m

    def _build_memory(self) -> LineMemory:
        return LineMemory(
            layout=entry_layout(self._value_bits),
            depth=self._depth,
            length_bits=len(self.length),
        )

    def _build_addition(self, decoder: ByteDecoder) -> LineAddition:
        return LineAddition(line=self._line, decoder=decoder, memory=self._memory)

    def _sought(self) -> Value:
        """What the vocabulary is asked for."""
        return self._addition.character

    def _connect_memory(self, m: Module):
        memory = self._memory
        m.d.comb += [
            memory.length.eq(self.length),
            memory.reading.eq(self.reading),
            memory.rewind.eq(self.rewind),
            memory.advance.eq(self.advance),
            self.value.eq(memory.entry.value),
            self.at_end.eq(memory.at_end),
        ]

    def _raise(self, m: Module, event: Event):
        m.d.sync += self._raised.eq(event)
        self._fsm.next = "EVENT"

    def _resume(self, m: Module):
        """After the answer to an event."""
        self._fsm.next = "WAIT"

    def _classify(self, m: Module):
        """What a byte asks for: a state for each way."""
        with self._fsm.state("CLASSIFY"):
            m.d.sync += self._after_cr.eq(~self._item.mark & self._is.cr)
            self._fsm.next = "ECHO"
            with m.If(self._item.mark):
                self._fsm.next = "MARK"
            with m.Elif(self._is.rubout):
                self._fsm.next = "REMOVE"
            with m.Elif(self._is.erase):
                self._fsm.next = "ERASE"
            with m.Elif(self._is.lf & self._after_cr):
                self._fsm.next = "WAIT"
            with m.Elif(self._is.cr | self._is.lf):
                self._fsm.next = "ENTER"
        with self._fsm.state("MARK"):
            # what was typed before it can no longer be removed
            m.d.sync += [self._line.lost.eq(1), self._line.good.eq(self.length)]
            self._line.fail(m, LineError.LOST, when=~self.failed, longer=False)
            self._fsm.next = "WAIT"
        with self._fsm.state("REMOVE"):
            self._remove(m)
        with self._fsm.state("ERASE"):
            self._raise(m, Event.ERASED)
        with self._fsm.state("ENTER"):
            error = Mux(self._line.pending, LineError.ESCAPE, LineError.NO_TOKEN)
            unfinished = ~self.failed & (self._line.pending | self._line.sequence.any())
            self._line.fail(m, error, when=unfinished, longer=False)
            self._raise(m, Event.ENTERED)

    def _remove(self, m: Module):
        """Take back the last character."""
        with m.If(self._line.sequence.any()):
            m.d.sync += self._line.sequence.eq(0)
            self._raise(m, Event.RUBOUT)
        with m.Elif(self._line.pending & ~self.failed):
            self._drop_escape(m)
            self._raise(m, Event.RUBOUT)
        with m.Elif(self._line.is_good | self._line.has_outgrown):
            self._fsm.next = "WAIT"
        with m.Else():
            m.d.sync += self._line.shorter.eq(1)
            self._fsm.next = "SHORTEN"

    def _drop_escape(self, m: Module):
        """Take back what there is of an escape."""
        m.d.sync += self._line.pending.eq(0)

    def _restore(self, m: Module):
        """After a removal: what is gone with the character, or comes back."""
        with self._fsm.state("SHORTEN"):
            self._fsm.next = self.SHORTENED
        with self._fsm.state("READ"):
            self._fsm.next = "FETCH"
        with self._fsm.state("FETCH"):
            self._fsm.next = "RESTORE"
        with self._fsm.state("RESTORE"):
            with m.If(~self.failed):
                m.d.sync += self._line.pending.eq(~self.command & self._memory.entry.escaped)
            with m.Elif(self._line.is_good & ~self._line.lost):
                m.d.sync += [self.failed.eq(0), self._line.good.eq(0)]
            with m.If(self._line.is_empty):
                m.d.sync += self.command.eq(0)
            self._raise(m, Event.RUBOUT)
            self._removed(m)

    def _removed(self, m: Module):
        """After the removal of an entry: what else the character has been."""

    def _found(self, m: Module):
        """A complete character becomes the token that the vocabulary has for it."""
        self._search(m, "SEARCH")
        with self._fsm.state("SEARCHED"):
            fits = ~self._line.fills_context
            m.d.comb += [
                self._memory.write.eq(fits),
                self._memory.written.value.eq(self.token),
                self._memory.written.escaped.eq(self._line.pending),
            ]
            m.d.sync += self._line.longer.eq(1)
            with m.If(fits):
                m.d.sync += self._line.pending.eq(0)
            self._line.fail(m, LineError.TOO_LONG, when=~fits)
            self._fsm.next = "WAIT"

    def _search(self, m: Module, first: str):
        """States from ``first`` to SEARCHED, with ``token``, or to the refusal without one."""
        with self._fsm.state(first):
            m.d.comb += self.search.eq(1)
            self._fsm.next = "SEARCHING"
        with self._fsm.state("SEARCHING"), m.If(~self.searching):
            self._fsm.next = "SEARCHED"
            with m.If(~self.found):
                self._fsm.next = "NO TOKEN"
        with self._fsm.state("NO TOKEN"):
            self._line.fail(m, LineError.NO_TOKEN)
            self._fsm.next = "WAIT"
