"""What an echoed byte adds to the line of an imported model: characters, numbers of tokens."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import wiring

from ...parts.delay import delayed
from ...parts.one_hot import OneHot
from ..byte import ByteDecoder
from ..line_addition import Addition, LineAddition
from ..line_state import LineState
from ..messages import LineError

END_OF_NUMBER = ord(";")
RADIX = 10


class PieceAddition(LineAddition):
    """As :class:`LineAddition`, with the number of a token as a further escape.

    Its states also end with NUMBERED, when ``number`` is complete.

    Parameters
    ----------
    line, decoder, memory
        As :class:`LineAddition`.
    vocab_size : int

    Attributes
    ----------
    size : Signal
        Bytes of ``character`` after the first one.
    number, digits : Signal
        The token's number as far as it has been typed, and how many digits it has. They count while
        the line's escape is ``pending``.
    """

    additions = tuple(Addition)
    newline = ord("\n")

    def __init__(
        self, *, line: LineState, decoder: ByteDecoder, memory: wiring.Component, vocab_size: int
    ):
        super().__init__(line=line, decoder=decoder, memory=memory)
        self._vocab_size = vocab_size
        self.size = Signal.like(line.sequence, reset_less=True)
        self.number = Signal(range(vocab_size), reset_less=True)
        self.digits = Signal(range(most_digits(vocab_size) + 1), reset_less=True)

    def choose(self, m: Module) -> None:
        byte = self._byte
        self._is_digit = delayed(m, (byte >= ord("0")) & (byte <= ord("9")), 1, name="is_digit")
        self._is_end = delayed(m, byte == END_OF_NUMBER, 1, name="is_end_of_number")
        super().choose(m)

    def kinds(self) -> list[tuple[Value, Addition]]:
        in_number = self._line.pending & (self.digits.any() | self._is_digit)
        kinds = super().kinds()
        place = [kind for _, kind in kinds].index(Addition.ESCAPED)
        return [*kinds[:place], (in_number, Addition.NUMBER), *kinds[place:]]

    def add_states(self, m: Module, fsm: OneHot) -> None:
        super().add_states(m, fsm)
        longer = Signal(range(RADIX * self._vocab_size), reset_less=True)
        fits = Signal(reset_less=True)
        with fsm.state(Addition.NUMBER.name):
            before = Mux(self.digits.any(), self.number, 0)
            # ten times as a sum of two, so that it takes no multiplier
            m.d.sync += longer.eq((before << 3) + (before << 1) + self._byte[:4])
            m.d.sync += self.size.eq(0)
            fsm.next = "DIGIT"
            with m.If(self._is_end & self.digits.any()):
                fsm.next = "NUMBERED"
        with fsm.state("DIGIT"):
            has_room = self.digits != most_digits(self._vocab_size)
            m.d.sync += fits.eq(self._is_digit & has_room & (longer < self._vocab_size))
            fsm.next = "DIGIT ADDED"
        with fsm.state("DIGIT ADDED"):
            self._line.fail(m, LineError.ESCAPE, when=~fits)
            with m.If(fits):
                m.d.sync += [self.number.eq(longer), self.digits.eq(self.digits + 1)]
            fsm.next = "WAIT"

    def _begin_escape(self, m: Module):
        super()._begin_escape(m)
        m.d.sync += self.digits.eq(0)

    def _escape(self, m: Module, fsm: OneHot):
        super()._escape(m, fsm)
        m.d.sync += self.size.eq(0)

    def _begin_character(self, m: Module, fsm: OneHot):
        super()._begin_character(m, fsm)
        m.d.sync += self.size.eq(self._is.following)


def most_digits(vocab_size: int) -> int:
    """Digits of the largest token's number."""
    return len(str(vocab_size - 1))
