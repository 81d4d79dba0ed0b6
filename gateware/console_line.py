"""The line that is being typed: echo, editing, characters to tokens."""

from functools import partial

from amaranth.hdl import C, Cat, Module, Mux, Signal
from amaranth.lib import data, enum, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from model.config import ModelConfig

from .console_messages import MAX_COMMAND, LineError
from .console_vocabulary import NEWLINE, TEXT_BYTES
from .delay import delayed
from .receive_queue import QUEUED_LAYOUT
from .registered_read import COLLISION_FREE, registered_read

CR, LF, BS, DEL, CTRL_U = 0x0D, 0x0A, 0x08, 0x7F, 0x15
SLASH, BACKSLASH, LETTER_N = ord("/"), ord("\\"), ord("n")
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
        self._decode(m)
        self._compare(m)
        self._choose_addition(m)
        self._write = self._memory(m)
        with m.FSM():
            with m.State("WAIT"):
                m.d.comb += [self.waiting.eq(1), self.queued.ready.eq(self.enable)]
                m.d.sync += item.eq(self.queued.payload)
                with m.If(self.queued.valid & self.enable):
                    m.next = "DECODE"
            with m.State("DECODE"):
                m.next = "CLASSIFY"
            self._classify(m)
            with m.State("ECHO"):
                m.d.comb += self.sent.valid.eq(1)
                with m.If(self.sent.ready):
                    m.next = "ADD"
            self._add(m)
            self._found(m)
            self._restore(m)
            with m.State("EVENT"):
                m.d.sync += self.event.eq(self._raised)
                with m.If(self.resume):
                    m.d.sync += self.event.eq(Event.NONE)
                    m.next = "WAIT"
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

    def _decode(self, m: Module):
        """What kind of byte it is: registers, a cycle after the item."""
        byte = self._item.byte
        flag = partial(delayed, m, cycles=1)
        self._is_cr = flag(byte == CR, name="is_cr")
        self._is_lf = flag(byte == LF, name="is_lf")
        self._is_erase = flag(byte == CTRL_U, name="is_erase")
        self._is_rubout = flag((byte == BS) | (byte == DEL), name="is_rubout")
        self._is_n = flag(byte == LETTER_N, name="is_n")
        self._is_slash = flag(byte == SLASH, name="is_slash")
        self._is_backslash = flag(byte == BACKSLASH, name="is_backslash")
        self._printable = flag(~byte[7] & byte[5:7].any(), name="printable")
        self._continues = flag(byte[6:8] == 0b10, name="continues")
        self._is_ascii = flag(~byte[7], name="is_ascii")
        self._following = Signal.like(self._sequence, reset_less=True)  # bytes of the character
        m.d.sync += self._following.eq(0)
        with m.Switch(byte):
            for length, pattern in ((2, "110-----"), (3, "1110----"), (4, "11110---")):
                with m.Case(pattern):
                    m.d.sync += self._following.eq(length - 1)
        self._after_cr = Signal()

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
            (self._is_backslash, Addition.BACKSLASH),
            (self._is_slash & self._is_empty, Addition.SLASH),
        )
        m.d.sync += addition.eq(Addition.CHARACTER)
        for condition, kind in reversed(kinds):
            with m.If(condition):
                m.d.sync += addition.eq(kind)

    def _memory(self, m: Module):
        """The line; its write port, which always points behind the line's end."""
        m.submodules.memory = memory = Memory(
            shape=data.StructLayout({"value": self._value_bits, "escaped": 1}),
            depth=self._depth,
            init=[],
            attrs={"ram_style": "block", **COLLISION_FREE},
        )
        write = memory.write_port()
        cursor = Signal.like(self.length, reset_less=True)
        address = Mux(self.reading, cursor, self.length)
        entry = Signal(memory.shape, reset_less=True)
        at_end = Signal(reset_less=True)
        m.d.comb += [write.addr.eq(self.length), self.value.eq(entry.value)]
        m.d.sync += [
            entry.eq(registered_read(m, memory, address[: len(write.addr)])),
            at_end.eq(cursor == self.length),
            self.at_end.eq(at_end),
        ]
        with m.If(self.advance):
            m.d.sync += cursor.eq(cursor + 1)
        with m.If(self.rewind):
            m.d.sync += cursor.eq(0)
        self._last = entry
        return write

    def _fail(self, m: Module, error: LineError, *, longer: bool = True):
        """The first error; ``longer``: it is a character."""
        m.d.sync += [self._failing.eq(1), self._reason.eq(error), self._longer.eq(longer)]

    def _raise(self, m: Module, event: Event):
        m.d.sync += self._raised.eq(event)
        m.next = "EVENT"

    def _classify(self, m: Module):
        with m.State("CLASSIFY"):
            m.d.sync += self._after_cr.eq(~self._item.mark & self._is_cr)
            m.next = "ECHO"
            with m.If(self._item.mark):
                with m.If(~self.failed):
                    self._fail(m, LineError.LOST, longer=False)
                # what was typed before it can no longer be removed
                m.d.sync += [self._lost.eq(1), self._good.eq(self.length)]
                m.next = "WAIT"
            with m.Elif(self._is_rubout):
                self._remove(m)
            with m.Elif(self._is_erase):
                self._raise(m, Event.ERASED)
            with m.Elif(self._is_lf & self._after_cr):
                m.next = "WAIT"
            with m.Elif(self._is_cr | self._is_lf):
                with m.If(~self.failed & self._pending):
                    self._fail(m, LineError.ESCAPE, longer=False)
                with m.Elif(~self.failed & self._sequence.any()):
                    self._fail(m, LineError.NO_TOKEN, longer=False)
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
            m.next = "WAIT"
        with m.Else():
            m.d.sync += self._shorter.eq(1)
            m.next = "SHORTEN"

    def _restore(self, m: Module):
        """After a removal: what is gone with the character, or comes back."""
        with m.State("SHORTEN"):
            m.next = "READ"
        with m.State("READ"):
            m.next = "FETCH"
        with m.State("FETCH"):
            m.next = "RESTORE"
        with m.State("RESTORE"):
            with m.If(~self.failed):
                m.d.sync += self._pending.eq(~self.command & self._last.escaped)
            with m.Elif(self._is_good & ~self._lost):
                m.d.sync += [self.failed.eq(0), self._good.eq(0)]
            with m.If(self._is_empty):
                m.d.sync += self.command.eq(0)
            self._raise(m, Event.RUBOUT)

    def _add(self, m: Module):
        """An echoed byte becomes a part of the line."""
        with m.State("ADD"):
            m.next = "WAIT"
            with m.Switch(self._addition):
                with m.Case(Addition.COUNTED):
                    m.d.sync += self._longer.eq(~self._continues & ~self._has_outgrown)
                with m.Case(Addition.OF_COMMAND):
                    self._add_to_command(m)
                with m.Case(Addition.OF_CHARACTER):
                    self._continue_character(m)
                with m.Case(Addition.ESCAPED):
                    m.d.sync += self._character.eq(Mux(self._is_n, NEWLINE, self._item.byte))
                    m.next = "SEARCH"
                    with m.If(~(self._is_n | self._is_backslash | self._is_slash)):
                        self._fail(m, LineError.ESCAPE)
                        m.next = "WAIT"
                with m.Case(Addition.BACKSLASH):
                    m.d.sync += self._pending.eq(1)
                with m.Case(Addition.SLASH):
                    m.d.sync += self.command.eq(1)
                    self._add_to_command(m)
                with m.Case(Addition.CHARACTER):
                    self._begin_character(m)

    def _continue_character(self, m: Module):
        m.d.sync += self._character.eq(Cat(self._item.byte, self._character))
        with m.If(~self._continues):
            # with what it cuts off, it counts as one character
            self._fail(m, LineError.NO_TOKEN)
        with m.Else():
            m.d.sync += self._sequence.eq(self._sequence - 1)
            with m.If(self._sequence == 1):
                m.next = "SEARCH"

    def _begin_character(self, m: Module):
        m.d.sync += self._character.eq(self._item.byte)
        with m.If(self._is_ascii):
            m.next = "SEARCH"
        with m.Elif(self._following.any()):
            m.d.sync += self._sequence.eq(self._following)
        with m.Else():
            self._fail(m, LineError.NO_TOKEN)

    def _add_to_command(self, m: Module):
        with m.If(self._printable & ~self._fills_command):
            m.d.comb += [self._write.en.eq(1), self._write.data.value.eq(self._item.byte)]
            m.d.sync += self._longer.eq(1)
        with m.Else():
            self._fail(m, LineError.UNKNOWN_COMMAND)

    def _found(self, m: Module):
        with m.State("SEARCH"):
            m.d.comb += self.search.eq(1)
            m.next = "SEARCHING"
        with m.State("SEARCHING"), m.If(~self.searching):
            m.next = "WAIT"
            with m.If(~self.found):
                self._fail(m, LineError.NO_TOKEN)
            with m.Elif(self._fills_context):
                self._fail(m, LineError.TOO_LONG)
            with m.Else():
                m.d.comb += self._write.en.eq(1)
                m.d.comb += self._write.data.value.eq(self.token)
                m.d.comb += self._write.data.escaped.eq(self._pending)
                m.d.sync += [self._longer.eq(1), self._pending.eq(0)]
