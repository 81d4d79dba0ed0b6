"""The hardware of declared registers: address decoder, settings, access pulses."""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterable

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..parts.delay import delayed
from .axi_lite import WORD_ADDRESS_LOW, register_bus_signature
from .register import ADDRESS_WIDTH, Access, Register

BYTE_BITS = 8


def register_layout(register: Register) -> data.Layout:
    """The register's fields in their places."""
    return data.FlexibleLayout(
        32, {field.name: data.Field(field.width, field.low) for field in register.fields}
    )


class RegisterBank(wiring.Component):
    """Registers behind a register bus.

    A read answers in its cycle; addresses are decoded in the cycle before. A setting has its new
    value one cycle after the write. An access that no register allows is answered with an error and
    has no effect.

    Parameters
    ----------
    registers : iterable of Register
    strobes_decoded : bool
        So are the strobes, of which an access then takes less logic.

    Members
    -------
    bus : In(register_bus_signature)
    locked : In(1)
        Writes to RW registers are ignored (and answered as if they were not).
    locked_write : Out(1), pulse
        Such a write happened.
    <name> : for each register its name in lower case, its fields as members
        RO, RW1C: In, what is read. RW: Out, the setting. WO: Out, the word being written; bytes
        that are not strobed are 0.
    <name>_read : Out(1), pulse, for RO with a side effect: it was read
    <name>_write : Out(1), pulse, for WO: it was written
    <name>_clear : Out(32), for RW1C: ones in the cycle in which they are written
    """

    def __init__(self, registers: Iterable[Register], *, strobes_decoded: bool = False):
        self.registers, self._strobes_decoded = tuple(registers), strobes_decoded
        members = {
            "bus": In(register_bus_signature(ADDRESS_WIDTH)),
            "locked": In(1),
            "locked_write": Out(1),
        }
        for register in self.registers:
            name, layout = register.name.lower(), register_layout(register)
            match register.access:
                case Access.RO:
                    members[name] = In(layout)
                    if register.side_effect:
                        members[f"{name}_read"] = Out(1)
                case Access.RW1C:
                    members[name] = In(layout)
                    members[f"{name}_clear"] = Out(32)
                case Access.RW:
                    init = {field.name: field.reset for field in register.fields}
                    members[name] = Out(layout, init=init)
                case Access.WO:
                    members[name] = Out(layout)
                    members[f"{name}_write"] = Out(1)
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        bus = self.bus
        strobed = Cat(bit.replicate(BYTE_BITS) for bit in bus.write_strobe)
        readable = [register for register in self.registers if register.access.readable]
        writable = [register for register in self.registers if register.access.writable]
        reads = [self._read(m, register) for register in readable]
        some, every = bus.write_strobe.any(), bus.write_strobe.all()
        if self._strobes_decoded:
            some, every = delayed(m, some, 1, name="some"), delayed(m, every, 1, name="every")
        self._some, self._partial = some, some & ~every
        writes = [self._write(m, register, strobed) for register in writable]
        m.d.comb += [
            bus.read_data.eq(functools.reduce(operator.or_, (word for _, word in reads), 0)),
            bus.read_error.eq(~Cat(selected for selected, _ in reads).any()),
            bus.write_error.eq(~Cat(allowed for allowed in writes).any()),
        ]
        return m

    def _selected(self, m, register, address, kind):
        """Whether ``address``, a cycle ago, was the register's."""
        selected = Signal(name=f"{register.name.lower()}_{kind}_selected", reset_less=True)
        m.d.sync += selected.eq(address == register.offset >> WORD_ADDRESS_LOW)
        return selected

    def _port(self, register, suffix=""):
        return getattr(self, register.name.lower() + suffix)

    def _read(self, m, register):
        """(whether it is selected, its word if so, else 0)"""
        selected = self._selected(m, register, self.bus.read_address, "read")
        value = self._port(register).as_value() & register.mask
        if register.access is Access.RO and register.side_effect:
            m.d.comb += self._port(register, "_read").eq(self.bus.read & selected)
        return selected, Mux(selected, value, 0)

    def _write(self, m, register, strobed):
        """Whether it is selected and takes what is written."""
        bus = self.bus
        selected = self._selected(m, register, bus.write_address, "write")
        word = bus.write_data & strobed & register.mask
        accepted = Signal(name=f"{register.name.lower()}_accepted")
        partial = self._partial if register.whole else 0
        m.d.comb += accepted.eq(bus.write & selected & self._some & ~partial)
        port = self._port(register)
        match register.access:
            case Access.WO:
                m.d.comb += [port.eq(word), self._port(register, "_write").eq(accepted)]
            case Access.RW1C:
                with m.If(accepted):
                    m.d.comb += self._port(register, "_clear").eq(word)
            case Access.RW:
                with m.If(accepted & self.locked):
                    m.d.comb += self.locked_write.eq(1)
                with m.Elif(accepted):
                    kept = port.as_value() & ~strobed
                    m.d.sync += port.eq(kept | word)
        return selected & ~partial if register.whole else selected
