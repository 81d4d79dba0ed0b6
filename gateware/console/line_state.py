"""What has become of the line that is being typed: its length, its first error."""

from functools import partial

from amaranth.hdl import C, Cat, Module, Signal
from amaranth.lib import enum

from ..parts.delay import delayed
from .messages import MAX_COMMAND, LineError
from .vocabulary import TEXT_BYTES


class LineState:
    """The registers of a line, and what is known of them a cycle later; part of its editor.

    States change it by its attributes and by :meth:`fail`; they stand between :meth:`begin` and
    :meth:`end`.

    Parameters
    ----------
    room : int
        Tokens that a line can have.
    length, command, failed, error
        The editor's ports, driven here.

    Attributes
    ----------
    pending : Signal(1)
        A backslash, without what it escapes.
    sequence : Signal
        Bytes still to come of a character.
    lost : Signal(1)
        The line has a mark.
    good : Signal
        Characters before the error; 0 without one.
    longer, shorter : Signal(1)
        Registers, for a cycle: an entry more, or less.
    is_empty, is_good, has_outgrown, fills_context, fills_command : Signal(1)
        What the length is: registers, a cycle after it. Made by :meth:`begin`.
    """

    def __init__(
        self, *, room: int, length: Signal, command: Signal, failed: Signal, error: enum.EnumView
    ):
        self._room = room
        self.length, self.command, self.failed, self._error = length, command, failed, error
        self.pending = Signal(reset_less=True)
        self.sequence = Signal(range(TEXT_BYTES), reset_less=True)
        self.lost = Signal(reset_less=True)
        self.good = Signal.like(length, reset_less=True)
        self.longer, self.shorter, self._failing = Signal(), Signal(), Signal()
        self._reason = Signal.like(error, reset_less=True)

    def begin(self, m: Module) -> None:
        """Add what holds unless a state says otherwise, and the comparisons of the length."""
        m.d.sync += [self.longer.eq(0), self.shorter.eq(0), self._failing.eq(0)]
        length, flag = self.length, partial(delayed, m, cycles=1)
        self.is_empty = flag(length == 0, name="is_empty")
        self.is_good = flag(length == self.good, name="is_good")
        self.has_outgrown = flag(length.all(), name="has_outgrown")
        self.fills_context = flag(length == self._room, name="fills_context")
        self.fills_command = flag(length == MAX_COMMAND, name="fills_command")

    def fail(self, m: Module, error: LineError, *, when=1, longer: bool = True) -> None:
        """The first error, in the present state; ``longer``: it is a character.

        What it is does not depend on ``when``, which has enough to do.
        """
        m.d.sync += self._reason.eq(error)
        with m.If(when):
            m.d.sync += [self._failing.eq(1), self.longer.eq(longer)]

    def end(self, m: Module, *, clear) -> None:
        """Add what the states have asked for, a cycle later; ``clear`` goes before all of it."""
        with m.If(self._failing):
            m.d.sync += [
                self.failed.eq(1),
                self._error.eq(self._reason),
                self.good.eq(self.length),
                self.sequence.eq(0),
            ]
        with m.If(self.longer | self.shorter):
            # one adder for both: 1, or -1
            m.d.sync += self.length.eq(
                self.length + Cat(C(1, 1), self.shorter.replicate(len(self.length) - 1))
            )
        with m.If(clear):
            cleared = (self.length, self.command, self.failed)
            cleared += (self.pending, self.sequence, self.lost, self.good)
            m.d.sync += [signal.eq(0) for signal in cleared]
