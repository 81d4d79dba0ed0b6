"""Sends the console's fixed texts, with numbers in them."""

from __future__ import annotations

from amaranth.hdl import C, Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ..parts.delay import delayed
from ..parts.one_hot import OneHot
from .dialect import TRAINED, Dialect
from .load_messages import LABEL_BYTES
from .messages import DECIMALS, END, EOT, PAGE, ROM_LAYOUT
from .number import REQUEST, Operation

DIGITS = 16
"""Room for the digits of a number and a decimal point."""
DIGIT_PREFIX, POINT_PREFIX = 0x3, 0x2
"""Upper halves of the ASCII codes of the digits and of the point."""
POINT = ord(".") & 0xF


class Printer(wiring.Component):
    """Sends a text of the memory (:meth:`.ConsoleTexts.rom`).

    A number is loaded by the number unit, divided down to its digits, which are put on a stack,
    and then sent from there. One with decimals has a point before its last two digits.

    Parameters
    ----------
    rom_depth : int
    label : int, optional
        Where in the memory the label is, whose NUL characters are not sent.
    dialect : Dialect
        Its numbers are those of the texts.

    Members
    -------
    start : In(1), page : In
        A pulse begins the text at that page; not while busy.
    busy : Out(1), from the cycle after ``start``
    rewind, advance : In(1)
        Move ``rom_address`` to 0, or on, while not busy.
    answered : Out(1)
        High in the cycle in which an EOT is taken: an answer is over.
    rom_address : Out, rom_entry : In(ROM_LAYOUT), 2 cycles later
    request : Out(REQUEST), number : Out, of the dialect, which one it loads
    number_busy, more : In(1), digit : In(4)
        Of the number unit.
    sent : Out(stream of 8 bits)
    sweeping : In(1), sweep_address : In(range(128))
        With ``label``: ``rom_address`` becomes its address in the label; not while busy.
    """

    def __init__(self, *, rom_depth: int, label: int | None = None, dialect: Dialect = TRAINED):
        self._label, self._dialect = label, dialect
        sweep = {"sweeping": In(1), "sweep_address": In(range(LABEL_BYTES))}
        super().__init__(
            {
                "start": In(1),
                "page": In(range(rom_depth // PAGE + 1)),
                "busy": Out(1),
                "rewind": In(1),
                "advance": In(1),
                "answered": Out(1),
                "rom_address": Out(range(rom_depth)),
                "rom_entry": In(ROM_LAYOUT),
                "request": Out(REQUEST),
                "number": Out(dialect.numbers),
                "number_busy": In(1),
                "digit": In(4),
                "more": In(1),
                "sent": Out(stream.Signature(8)),
                **({} if label is None else sweep),
            }
        )

    def elaborate(self, platform):
        m = Module()
        entry, address = self.rom_entry, Signal.like(self.rom_address, reset_less=True)
        proceed = Signal()
        # registers, a cycle after the entry
        is_eot = delayed(m, entry.byte == EOT, 1, name="is_eot")
        is_end = delayed(m, entry.byte == END, 1, name="is_end")
        shown, passed = 1, self.sent.ready
        if self._label is not None:
            is_nul = delayed(m, entry.byte == 0, 1, name="is_nul")
            shown, passed = ~is_nul, self.sent.ready | is_nul
        # the entry stays at the memory's output while its number is printed
        m.d.comb += [self.number.eq(entry.byte), self.rom_address.eq(address)]
        with OneHot(m, "IDLE") as fsm:
            m.d.comb += self.busy.eq(~fsm.ongoing("IDLE"))
            with fsm.state("IDLE"), m.If(self.start):
                fsm.next = "READ"
            with fsm.state("READ"):
                fsm.next = "FETCH"
            with fsm.state("FETCH"):
                fsm.next = "DECODE"
            with fsm.state("DECODE"):
                fsm.next = "LOOK"
            with fsm.state("LOOK"):
                with m.If(~entry.special):
                    m.d.comb += self.sent.valid.eq(shown)
                    m.d.comb += self.answered.eq(self.sent.ready & is_eot)
                    with m.If(passed):
                        m.d.comb += proceed.eq(1)
                        fsm.next = "READ"
                with m.Elif(is_end):
                    fsm.next = "IDLE"
                with m.Else():
                    m.d.comb += self.request.start.eq(1)
                    m.d.comb += self.request.operation.eq(Operation.LOAD)
                    fsm.next = "LOAD"
            divide = self._print_number(m, fsm, proceed)
        with m.If(divide):
            m.d.comb += [
                self.request.start.eq(1),
                self.request.operation.eq(Operation.DIVIDE),
            ]
        with m.If(proceed | self.advance):
            m.d.sync += address.eq(address + 1)
        with m.If(self.rewind):
            m.d.sync += address.eq(0)
        with m.If(self.start):
            m.d.sync += address.eq(Cat(C(0, PAGE.bit_length() - 1), self.page))
        if self._label is not None:
            with m.If(self.sweeping):
                m.d.sync += address.eq(self._label | self.sweep_address)
        return m

    def _print_number(self, m: Module, fsm: OneHot, proceed):
        """States from LOAD on; when to divide."""
        m.submodules.digits = digits = Memory(
            shape=4, depth=DIGITS, init=[], attrs={"ram_style": "distributed"}
        )
        write, read = digits.write_port(), digits.read_port()
        top = Signal(range(DIGITS))  # of the stack; 0 outside of numbers
        fixed_point = self._dialect.is_fixed_point(self.number)
        fixed_point = delayed(m, fixed_point, 1, name="fixed_point")
        # it moves long before it is looked at: when a division begins, and before POP
        at_last = delayed(m, top == 0, 1, name="at_last")
        at_point = delayed(m, top == DECIMALS - 1, 1, name="at_point")
        in_decimals = delayed(m, top < DECIMALS - 1, 1, name="in_decimals")
        m.d.comb += [write.addr.eq(top), write.data.eq(self.digit), read.addr.eq(top)]
        divide, digit_sent = Signal(), Signal()
        character = Cat(read.data, Mux(read.data == POINT, C(POINT_PREFIX, 4), DIGIT_PREFIX))
        m.d.comb += self.sent.payload.eq(Mux(digit_sent, character, self.rom_entry.byte))
        with fsm.state("LOAD"), m.If(~self.number_busy):
            m.d.comb += divide.eq(1)
            fsm.next = "DIVIDE"
        with fsm.state("DIVIDE"), m.If(~self.number_busy):
            m.d.comb += write.en.eq(1)
            with m.If(fixed_point & at_point):
                m.d.sync += top.eq(top + 1)
                fsm.next = "POINT"
            with m.Elif(self.more | (fixed_point & in_decimals)):
                m.d.sync += top.eq(top + 1)
                m.d.comb += divide.eq(1)
            with m.Else():
                fsm.next = "POP"
        with fsm.state("POINT"):
            m.d.comb += [write.en.eq(1), write.data.eq(POINT), divide.eq(1)]
            m.d.sync += top.eq(top + 1)
            fsm.next = "DIVIDE"
        with fsm.state("POP"):
            fsm.next = "SEND"
        with fsm.state("SEND"):
            m.d.comb += [self.sent.valid.eq(1), digit_sent.eq(1)]
            with m.If(self.sent.ready):
                with m.If(at_last):
                    m.d.comb += proceed.eq(1)
                    fsm.next = "READ"
                with m.Else():
                    m.d.sync += top.eq(top - 1)
                    fsm.next = "POP"
        return divide
