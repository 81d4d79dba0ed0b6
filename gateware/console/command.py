"""Reads a command: its name, and the number behind it."""

from functools import partial

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..parts.delay import delayed
from ..parts.one_hot import OneHot
from .dialect import TRAINED, Dialect
from .line import COMMAND_BITS
from .messages import COMMANDS, DECIMALS, ROM_LAYOUT
from .number import REQUEST, Operation

SPACE, POINT = ord(" "), ord(".")
DIGITS = ("0110---", "011100-")
"""Patterns of the digits in 7-bit ASCII."""


class CommandReader(wiring.Component):
    """Compares the line with each name in the memory of texts, then reads its argument.

    A name is followed by the line's end or by spaces and an argument. A number is decimal digits;
    a temperature may have a point and one or two digits behind them, and is read in hundredths, as
    all that has decimals in the dialect.

    Parameters
    ----------
    value_bits : int
        At least 7.
    commands : int
        How many there are; also the code of what is none.
    dialect : Dialect

    Members
    -------
    start : In(1)
        A pulse begins the reading; not while busy.
    busy : Out(1), from the cycle after ``start``
    command : Out(range(commands + 1))
        Its index, or ``commands``.
    argument, refused : Out(1)
        There is an argument, which the number unit now holds; it is no number, too large, or 0
        where the dialect has none.
    rewind_name, advance_name : Out(1), name : In(ROM_LAYOUT)
        Move to the first name, or one entry on; the entry follows 2 cycles later.
    rewind, advance : Out(1), value : In, at_end : In(1)
        The same for the line, of which the first byte is the slash.
    request : Out(REQUEST), number_busy, too_large : In(1)
        Of the number unit, whose limit is that of ``command``.
    """

    def __init__(
        self, *, value_bits: int, commands: int = len(COMMANDS), dialect: Dialect = TRAINED
    ):
        self._unknown, self._dialect = commands, dialect
        super().__init__(
            {
                "start": In(1),
                "busy": Out(1),
                "command": Out(range(commands + 1)),
                "argument": Out(1),
                "refused": Out(1),
                "rewind_name": Out(1),
                "advance_name": Out(1),
                "name": In(ROM_LAYOUT),
                "rewind": Out(1),
                "advance": Out(1),
                "value": In(value_bits),
                "at_end": In(1),
                "request": Out(REQUEST),
                "number_busy": In(1),
                "too_large": In(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        # registers
        m.d.sync += [self.rewind.eq(0), self.advance.eq(0)]
        # what the entries are: registers, a cycle after them
        self._is_space, self._is_point = Signal(reset_less=True), Signal(reset_less=True)
        self._is_digit, self._is_same = Signal(reset_less=True), Signal(reset_less=True)
        m.d.sync += [
            self._is_space.eq(self.value == SPACE),
            self._is_point.eq(self.value == POINT),
            self._is_digit.eq(self.value[:COMMAND_BITS].matches(*DIGITS)),
            self._is_same.eq(self.value == self.name.byte),
        ]
        # what the command is, likewise
        self._is_last = delayed(m, self.command == self._unknown - 1, 1, name="is_last")
        self._is_setting = delayed(m, self.command < self._dialect.settings, 1, name="is_setting")
        self._scaling = Signal(reset_less=True)  # zeros take the place of decimals
        with OneHot(m, "IDLE") as self._fsm:
            m.d.comb += self.busy.eq(~self._fsm.ongoing("IDLE"))
            with self._fsm.state("IDLE"), m.If(self.start):
                self._fsm.next = "BEGIN"
            with self._fsm.state("BEGIN"):
                m.d.sync += [self.command.eq(0), self.argument.eq(0), self.refused.eq(0)]
                m.d.comb += self.rewind_name.eq(1)
                m.d.sync += self.rewind.eq(1)
                self._fsm.next = "SLASH"
            self._match(m)
            self._skip_spaces(m)
            self._read_number(m)
        with m.If(self.busy & ~self._scaling):
            m.d.comb += self.request.addend.eq(self.value[:4])
        return m

    def _match(self, m: Module):
        """Compare with one name after the other."""
        differs = Signal(reset_less=True)
        with self._fsm.state("SLASH"):
            m.d.sync += self.advance.eq(1)
            m.d.sync += differs.eq(0)
            self._fsm.next = "MOVE NAME"
        with self._fsm.state("MOVE NAME"):
            self._fsm.next = "READ NAME"
        with self._fsm.state("READ NAME"):
            self._fsm.next = "FETCH NAME"
        with self._fsm.state("FETCH NAME"):
            self._fsm.next = "DECODE NAME"
        with self._fsm.state("DECODE NAME"):
            self._fsm.next = "COMPARE"
        with self._fsm.state("COMPARE"):
            m.d.comb += self.advance_name.eq(1)
            self._fsm.next = "MOVE NAME"
            with m.If(self.name.special):
                with m.If(~differs & (self.at_end | self._is_space)):
                    self._fsm.next = "ARGUMENT"
                with m.Else():
                    m.d.sync += self.rewind.eq(1)
                    m.d.sync += self.command.eq(self.command + 1)
                    self._fsm.next = "SLASH"
                    with m.If(self._is_last):
                        self._fsm.next = "IDLE"
            with m.Elif(self.at_end | ~self._is_same):
                m.d.sync += differs.eq(1)
            with m.Else():
                m.d.sync += self.advance.eq(1)

    def _skip_spaces(self, m: Module):
        with self._fsm.state("MOVE SPACE"):
            self._fsm.next = "READ SPACE"
        with self._fsm.state("READ SPACE"):
            self._fsm.next = "FETCH SPACE"
        with self._fsm.state("FETCH SPACE"):
            self._fsm.next = "DECODE SPACE"
        with self._fsm.state("DECODE SPACE"):
            self._fsm.next = "ARGUMENT"
        with self._fsm.state("ARGUMENT"):
            with m.If(self.at_end):
                self._fsm.next = "IDLE"
            with m.Elif(self._is_space):
                m.d.sync += self.advance.eq(1)
                self._fsm.next = "MOVE SPACE"
            with m.Elif(~self._is_setting):
                self._fsm.next = "UNKNOWN"
            with m.Else():
                m.d.sync += self.argument.eq(1)
                self._fsm.next = "CLEAR"
        with self._fsm.state("UNKNOWN"):
            m.d.sync += self.command.eq(self._unknown)
            self._fsm.next = "IDLE"

    def _read_number(self, m: Module):
        """States that read the argument."""
        digits = Signal(reset_less=True)  # there are some
        point = Signal(reset_less=True)
        decimals = Signal(range(DECIMALS + 1), reset_less=True)
        # registers, settled when a character is looked at
        flag = partial(delayed, m, cycles=1)
        fixed_point = flag(self._dialect.is_fixed_point(self.command), name="fixed_point")
        none, full = flag(decimals == 0, name="none"), flag(decimals == DECIMALS, name="full")
        too_large = flag(self.too_large, name="too_large")
        forbidden = self._forbidden_zero(m)
        with self._fsm.state("CLEAR"):
            m.d.comb += self.request.clear.eq(1)
            cleared = (digits, point, decimals, self._scaling)
            m.d.sync += [signal.eq(0) for signal in cleared]
            self._fsm.next = "DECODE CHARACTER"
        with self._fsm.state("MOVE CHARACTER"):
            self._fsm.next = "READ CHARACTER"
        with self._fsm.state("READ CHARACTER"):
            self._fsm.next = "FETCH CHARACTER"
        with self._fsm.state("FETCH CHARACTER"):
            self._fsm.next = "DECODE CHARACTER"
        with self._fsm.state("DECODE CHARACTER"):
            self._fsm.next = "CHARACTER"
        with self._fsm.state("CHARACTER"):
            with m.If(self.at_end):
                with m.If(point & none):
                    self._refuse(m)
                with m.Elif(fixed_point & ~full):
                    m.d.sync += [self._scaling.eq(1), decimals.eq(decimals + 1)]
                    self._fsm.next = "APPEND"
                if forbidden is not None:
                    with m.Elif(forbidden):
                        self._refuse(m)
                with m.Else():
                    self._fsm.next = "IDLE"
            with m.Elif(self._is_digit & ~full):
                m.d.sync += [digits.eq(1), decimals.eq(decimals + point)]
                self._fsm.next = "APPEND"
            with m.Elif(self._is_point & fixed_point & digits & ~point):
                m.d.sync += point.eq(1)
                m.d.sync += self.advance.eq(1)
                self._fsm.next = "MOVE CHARACTER"
            with m.Else():
                self._refuse(m)
        with self._fsm.state("APPEND"):
            m.d.comb += [self.request.start.eq(1), self.request.operation.eq(Operation.APPEND)]
            self._fsm.next = "APPENDING"
        with self._fsm.state("APPENDING"), m.If(~self.number_busy):
            self._fsm.next = "CHECK"
        with self._fsm.state("CHECK"):
            m.d.sync += self.advance.eq(~self._scaling)
            self._fsm.next = "MOVE CHARACTER"
            with m.If(too_large):
                self._refuse(m)

    def _forbidden_zero(self, m: Module) -> Signal | None:
        """Whether the number is 0, and must not be; None: every command may have a 0."""
        if not self._dialect.positive:
            return None
        nonzero = Signal(reset_less=True)  # there was such a digit
        with m.If(self._fsm.ongoing("CLEAR")):
            m.d.sync += nonzero.eq(0)
        with m.If(self._fsm.ongoing("APPEND") & ~self._scaling & self.value[:4].any()):
            m.d.sync += nonzero.eq(1)
        positive = Cat(self.command == number for number in self._dialect.positive).any()
        return delayed(m, positive & ~nonzero, 1, name="forbidden")

    def _refuse(self, m: Module):
        m.d.sync += self.refused.eq(1)
        self._fsm.next = "IDLE"
