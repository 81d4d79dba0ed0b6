"""What an echoed byte is to the line that is being typed, and what it adds to it."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import enum

from ..parts.one_hot import OneHot
from .byte import ByteDecoder
from .line_memory import LineMemory
from .line_state import LineState
from .messages import LineError
from .vocabulary import NEWLINE, TEXT_BYTES


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
    NUMBER = 7
    """a further byte of a token's number; only in the line of an imported model"""


class LineAddition:
    """Adds echoed bytes to a line; part of its editor.

    Parameters
    ----------
    line : LineState
    decoder : ByteDecoder
        Of the byte that was typed.
    memory : LineMemory
        Written here.

    Attributes
    ----------
    character : Signal(32)
        A character's bytes, the last one lowest.
    """

    additions = tuple(addition for addition in Addition if addition is not Addition.NUMBER)
    newline = NEWLINE
    """What ``character`` is for an escaped newline."""

    def __init__(self, *, line: LineState, decoder: ByteDecoder, memory: LineMemory):
        self._line, self._byte, self._is = line, decoder.byte, decoder.is_
        self._memory = memory
        self.character = Signal(8 * TEXT_BYTES, reset_less=True)
        self._addition = Signal(Addition, reset_less=True)

    def choose(self, m: Module) -> None:
        """What the byte will be to the line: a register, settled when it is echoed."""
        m.d.sync += self._addition.eq(Addition.CHARACTER)
        for condition, kind in reversed(self.kinds()):
            with m.If(condition):
                m.d.sync += self._addition.eq(kind)

    def kinds(self) -> list[tuple[Value, Addition]]:
        """When the byte is which addition; the first condition that holds counts."""
        line = self._line
        return [
            (line.failed, Addition.COUNTED),
            (line.command, Addition.OF_COMMAND),
            (line.sequence.any(), Addition.OF_CHARACTER),
            (line.pending, Addition.ESCAPED),
            (self._is.backslash, Addition.BACKSLASH),
            (self._is.slash & line.is_empty, Addition.SLASH),
        ]

    def add_states(self, m: Module, fsm: OneHot) -> None:
        """A state for each way in which an echoed byte becomes a part of the line.

        They begin with ADD, and end with WAIT or, when ``character`` is complete, SEARCH.
        """
        line = self._line
        with fsm.state("ADD"), m.Switch(self._addition):
            for addition in self.additions:
                with m.Case(addition):
                    fsm.next = addition.name
        with fsm.state(Addition.COUNTED.name):
            m.d.sync += line.longer.eq(~self._is.continues & ~line.has_outgrown)
            fsm.next = "WAIT"
        with fsm.state(Addition.SLASH.name):
            m.d.sync += line.command.eq(1)
            fsm.next = Addition.OF_COMMAND.name
        with fsm.state(Addition.OF_COMMAND.name):
            fits = self._is.printable & ~line.fills_command
            m.d.comb += self._memory.write.eq(fits)
            m.d.comb += self._memory.written.value.eq(self._byte)
            m.d.sync += line.longer.eq(1)
            line.fail(m, LineError.UNKNOWN_COMMAND, when=~fits)
            fsm.next = "WAIT"
        with fsm.state(Addition.OF_CHARACTER.name):
            self._continue_character(m, fsm)
        with fsm.state(Addition.ESCAPED.name):
            self._escape(m, fsm)
        with fsm.state(Addition.BACKSLASH.name):
            self._begin_escape(m)
            fsm.next = "WAIT"
        with fsm.state(Addition.CHARACTER.name):
            self._begin_character(m, fsm)

    def _begin_escape(self, m: Module):
        m.d.sync += self._line.pending.eq(1)

    def _escape(self, m: Module, fsm: OneHot):
        """The byte after a backslash."""
        m.d.sync += self.character.eq(Mux(self._is.n, self.newline, self._byte))
        known = self._is.n | self._is.backslash | self._is.slash
        self._line.fail(m, LineError.ESCAPE, when=~known)
        with m.If(known):
            fsm.next = "SEARCH"
        with m.Else():
            fsm.next = "WAIT"

    def _continue_character(self, m: Module, fsm: OneHot):
        line = self._line
        m.d.sync += self.character.eq(Cat(self._byte, self.character))
        m.d.sync += line.sequence.eq(line.sequence - 1)
        # with what it cuts off, it counts as one character
        line.fail(m, LineError.NO_TOKEN, when=~self._is.continues)
        fsm.next = "WAIT"
        with m.If(self._is.continues & (line.sequence == 1)):
            fsm.next = "SEARCH"

    def _begin_character(self, m: Module, fsm: OneHot):
        line = self._line
        m.d.sync += self.character.eq(self._byte)
        m.d.sync += line.sequence.eq(self._is.following)
        line.fail(m, LineError.NO_TOKEN, when=~(self._is.ascii | self._is.following.any()))
        fsm.next = "WAIT"
        with m.If(self._is.ascii):
            fsm.next = "SEARCH"
