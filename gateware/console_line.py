"""The line that is being typed: echo, editing, characters to tokens."""

from functools import partial

from amaranth.hdl import C, Cat, Module, Mux, Signal
from amaranth.lib import enum, stream, wiring
from amaranth.lib.wiring import In, Out

from model.config import ModelConfig

from .console_byte import ByteDecoder
from .console_line_memory import LineMemory
from .console_messages import MAX_COMMAND, LineError
from .console_vocabulary import NEWLINE, TEXT_BYTES
from .delay import delayed
from .one_hot import OneHot
from .receive_queue import QUEUED_LAYOUT

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


class Addition(enum.Enum, shape=3):
    """What an echoed byte is to the line."""

    COUNTED = 0
    """one of a line with an error"""
    OF_COMMAND = 1
    OF_CHARACTER = 2
    """a further byte of one"""
    ESCAPED = 3
    BACKSLASH = 4
    SLASH = 5
    """the first of a command"""
    CHARACTER = 6
    """the first or only byte of one"""


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

    def __init__(self, config: ModelConfig):
        self._ctx_len = config.ctx_len
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
            }
        )

    def elaborate(self, platform):
        m = Module()
        self._item = item = Signal(QUEUED_LAYOUT, reset_less=True)
        self._pending = Signal(reset_less=True)  # a backslash, without what it escapes
        self._sequence = Signal(range(TEXT_BYTES), reset_less=True)  # bytes still to come
        self._lost = Signal(reset_less=True)  # the line has a mark
        # characters before the error; 0 without one
        self._good = Signal.like(self.length, reset_less=True)
        self._longer, self._shorter, self._failing = Signal(), Signal(), Signal()
        self._reason = Signal.like(self.error, reset_less=True)
        self._raised = Signal.like(self.event, reset_less=True)
        m.d.sync += [self._longer.eq(0), self._shorter.eq(0), self._failing.eq(0)]
        self._character = Signal.like(self.character, reset_less=True)
        m.d.comb += self.character.eq(self._character)
        m.d.comb += self.sent.payload.eq(item.byte)
        m.submodules.decoder = decoder = ByteDecoder()
        m.d.comb += decoder.byte.eq(item.byte)
        self._is = decoder.is_
        self._after_cr = Signal()
        self._compare(m)
        self._choose_addition(m)
        m.submodules.memory = self._memory = memory = LineMemory(
            value_bits=self._value_bits, depth=self._depth
        )
        m.d.comb += [
            memory.length.eq(self.length),
            memory.reading.eq(self.reading),
            memory.rewind.eq(self.rewind),
            memory.advance.eq(self.advance),
            self.value.eq(memory.entry.value),
            self.at_end.eq(memory.at_end),
        ]
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
            self._add(m)
            self._found(m)
            self._restore(m)
            with self._fsm.state("EVENT"):
                m.d.sync += self.event.eq(self._raised)
                with m.If(self.resume):
                    m.d.sync += self.event.eq(Event.NONE)
                    self._fsm.next = "WAIT"
        with m.If(self._failing):
            m.d.sync += [
                self.failed.eq(1),
                self.error.eq(self._reason),
                self._good.eq(self.length),
                self._sequence.eq(0),
            ]
        with m.If(self._longer | self._shorter):
            # one adder for both: 1, or -1
            m.d.sync += self.length.eq(
                self.length + Cat(C(1, 1), self._shorter.replicate(len(self.length) - 1))
            )
        with m.If(self.forget_cr):
            m.d.sync += self._after_cr.eq(0)
        with m.If(self.clear):
            cleared = (self.length, self.command, self.failed)
            cleared += (self._pending, self._sequence, self._lost, self._good)
            m.d.sync += [signal.eq(0) for signal in cleared]
        return m

    def _compare(self, m: Module):
        """What the length is: registers, a cycle after it."""
        length, flag = self.length, partial(delayed, m, cycles=1)
        self._is_empty = flag(length == 0, name="is_empty")
        self._is_good = flag(length == self._good, name="is_good")
        self._has_outgrown = flag(length.all(), name="has_outgrown")
        self._fills_context = flag(length == self._ctx_len, name="fills_context")
        self._fills_command = flag(length == MAX_COMMAND, name="fills_command")
        m.d.comb += self.empty.eq(self._is_empty)

    def _choose_addition(self, m: Module):
        """What the byte will be to the line: a register, settled when it is echoed."""
        self._addition = addition = Signal(Addition, reset_less=True)
        kinds = (
            (self.failed, Addition.COUNTED),
            (self.command, Addition.OF_COMMAND),
            (self._sequence.any(), Addition.OF_CHARACTER),
            (self._pending, Addition.ESCAPED),
            (self._is.backslash, Addition.BACKSLASH),
            (self._is.slash & self._is_empty, Addition.SLASH),
        )
        m.d.sync += addition.eq(Addition.CHARACTER)
        for condition, kind in reversed(kinds):
            with m.If(condition):
                m.d.sync += addition.eq(kind)

    def _fail(self, m: Module, error: LineError, *, when=1, longer: bool = True):
        """The first error, in the present state; ``longer``: it is a character.

        What it is does not depend on ``when``, which has enough to do.
        """
        m.d.sync += self._reason.eq(error)
        with m.If(when):
            m.d.sync += [self._failing.eq(1), self._longer.eq(longer)]

    def _raise(self, m: Module, event: Event):
        m.d.sync += self._raised.eq(event)
        self._fsm.next = "EVENT"

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
            m.d.sync += [self._lost.eq(1), self._good.eq(self.length)]
            self._fail(m, LineError.LOST, when=~self.failed, longer=False)
            self._fsm.next = "WAIT"
        with self._fsm.state("REMOVE"):
            self._remove(m)
        with self._fsm.state("ERASE"):
            self._raise(m, Event.ERASED)
        with self._fsm.state("ENTER"):
            error = Mux(self._pending, LineError.ESCAPE, LineError.NO_TOKEN)
            unfinished = ~self.failed & (self._pending | self._sequence.any())
            self._fail(m, error, when=unfinished, longer=False)
            self._raise(m, Event.ENTERED)

    def _remove(self, m: Module):
        """Take back the last character."""
        with m.If(self._sequence.any()):
            m.d.sync += self._sequence.eq(0)
            self._raise(m, Event.RUBOUT)
        with m.Elif(self._pending & ~self.failed):
            m.d.sync += self._pending.eq(0)
            self._raise(m, Event.RUBOUT)
        with m.Elif(self._is_good | self._has_outgrown):
            self._fsm.next = "WAIT"
        with m.Else():
            m.d.sync += self._shorter.eq(1)
            self._fsm.next = "SHORTEN"

    def _restore(self, m: Module):
        """After a removal: what is gone with the character, or comes back."""
        with self._fsm.state("SHORTEN"):
            self._fsm.next = "READ"
        with self._fsm.state("READ"):
            self._fsm.next = "FETCH"
        with self._fsm.state("FETCH"):
            self._fsm.next = "RESTORE"
        with self._fsm.state("RESTORE"):
            with m.If(~self.failed):
                m.d.sync += self._pending.eq(~self.command & self._memory.entry.escaped)
            with m.Elif(self._is_good & ~self._lost):
                m.d.sync += [self.failed.eq(0), self._good.eq(0)]
            with m.If(self._is_empty):
                m.d.sync += self.command.eq(0)
            self._raise(m, Event.RUBOUT)

    def _add(self, m: Module):
        """An echoed byte becomes a part of the line: a state for each way."""
        with self._fsm.state("ADD"), m.Switch(self._addition):
            for addition in Addition:
                with m.Case(addition):
                    self._fsm.next = addition.name
        with self._fsm.state(Addition.COUNTED.name):
            m.d.sync += self._longer.eq(~self._is.continues & ~self._has_outgrown)
            self._fsm.next = "WAIT"
        with self._fsm.state(Addition.SLASH.name):
            m.d.sync += self.command.eq(1)
            self._fsm.next = Addition.OF_COMMAND.name
        with self._fsm.state(Addition.OF_COMMAND.name):
            fits = self._is.printable & ~self._fills_command
            m.d.comb += self._memory.write.eq(fits)
            m.d.comb += self._memory.written.value.eq(self._item.byte)
            m.d.sync += self._longer.eq(1)
            self._fail(m, LineError.UNKNOWN_COMMAND, when=~fits)
            self._fsm.next = "WAIT"
        with self._fsm.state(Addition.OF_CHARACTER.name):
            self._continue_character(m)
        with self._fsm.state(Addition.ESCAPED.name):
            m.d.sync += self._character.eq(Mux(self._is.n, NEWLINE, self._item.byte))
            known = self._is.n | self._is.backslash | self._is.slash
            self._fail(m, LineError.ESCAPE, when=~known)
            with m.If(known):
                self._fsm.next = "SEARCH"
            with m.Else():
                self._fsm.next = "WAIT"
        with self._fsm.state(Addition.BACKSLASH.name):
            m.d.sync += self._pending.eq(1)
            self._fsm.next = "WAIT"
        with self._fsm.state(Addition.CHARACTER.name):
            self._begin_character(m)

    def _continue_character(self, m: Module):
        m.d.sync += self._character.eq(Cat(self._item.byte, self._character))
        m.d.sync += self._sequence.eq(self._sequence - 1)
        # with what it cuts off, it counts as one character
        self._fail(m, LineError.NO_TOKEN, when=~self._is.continues)
        self._fsm.next = "WAIT"
        with m.If(self._is.continues & (self._sequence == 1)):
            self._fsm.next = "SEARCH"

    def _begin_character(self, m: Module):
        m.d.sync += self._character.eq(self._item.byte)
        m.d.sync += self._sequence.eq(self._is.following)
        self._fail(m, LineError.NO_TOKEN, when=~(self._is.ascii | self._is.following.any()))
        self._fsm.next = "WAIT"
        with m.If(self._is.ascii):
            self._fsm.next = "SEARCH"

    def _found(self, m: Module):
        with self._fsm.state("SEARCH"):
            m.d.comb += self.search.eq(1)
            self._fsm.next = "SEARCHING"
        with self._fsm.state("SEARCHING"), m.If(~self.searching):
            self._fsm.next = "SEARCHED"
            with m.If(~self.found):
                self._fsm.next = "NO TOKEN"
        with self._fsm.state("NO TOKEN"):
            self._fail(m, LineError.NO_TOKEN)
            self._fsm.next = "WAIT"
        with self._fsm.state("SEARCHED"):
            fits = ~self._fills_context
            m.d.comb += [
                self._memory.write.eq(fits),
                self._memory.written.value.eq(self.token),
                self._memory.written.escaped.eq(self._pending),
            ]
            m.d.sync += self._longer.eq(1)
            with m.If(fits):
                m.d.sync += self._pending.eq(0)
            self._fail(m, LineError.TOO_LONG, when=~fits)
            self._fsm.next = "WAIT"
