"""RegisterBank equals its declaration in every cycle: what is refused has no effect, proved."""

import pytest
from amaranth.hdl import Cat, Const, Module, Signal, Value

from gateformer.gateware.host import register_bank
from gateformer.gateware.host.base_registers import REGISTERS
from gateformer.gateware.host.imported_registers import IMPORTED_REGISTERS
from gateformer.gateware.host.interleaved_registers import FURTHER_INTERLEAVED_REGISTERS
from gateformer.gateware.host.register import Access
from tests.support.formal.prover import (
    Refuted,
    assume,
    elaborated,
    implies,
    mutated,
    past,
    prove,
    require,
)


def bus_contract(m, bus):
    """What :func:`gateware.host.axi_lite.register_bus_signature` says of the initiator; proved of
    it in test_formal_axi_lite.py."""
    running = past(m, Const(1), "running")
    write = Cat(bus.write_address, bus.write_data, bus.write_strobe)
    return {
        "the write is there a cycle before": implies(
            bus.write, running & (write == past(m, write, "write_before"))
        ),
        "the read is there a cycle before": implies(
            bus.read, running & (bus.read_address == past(m, bus.read_address, "read_before"))
        ),
    }


def port(bank, register, suffix=""):
    return Value.cast(getattr(bank, register.name.lower() + suffix))


def read_rules(bank):
    bus = bank.bus
    data, known = Const(0, 32), Const(0)
    rules = {}
    for register in bank.registers:
        here = bus.read_address == register.offset // 4
        if register.access.readable:
            data |= here.replicate(32) & port(bank, register) & register.mask
            known |= here
        if register.access is Access.RO and register.side_effect:
            pulse = port(bank, register, "_read")
            rules[f"{register.name} is read"] = pulse == (bus.read & here)
    rules["read data"] = implies(bus.read, bus.read_data == data)
    rules["read error"] = implies(bus.read, bus.read_error == ~known)
    return rules


def write_rules(m, bank):
    bus = bank.bus
    bits = Cat(strobe.replicate(8) for strobe in bus.write_strobe)
    taken, lock = Const(0), Const(0)
    rules = {}
    for register in bank.registers:
        if not register.access.writable:
            continue
        name, value = register.name, port(bank, register)
        here = bus.write_address == register.offset // 4
        some, every = bus.write_strobe != 0, bus.write_strobe == 15
        fits = (every | ~some) if register.whole else Const(1)
        acts = bus.write & here & fits & some
        taken |= here & fits
        word = bus.write_data & bits & register.mask
        if register.access is Access.WO:
            rules[f"{name} is written"] = port(bank, register, "_write") == acts
            rules[f"{name} has the word"] = implies(acts, value == word)
        elif register.access is Access.RW1C:
            clear = acts.replicate(32) & word
            rules[f"{name} is cleared"] = port(bank, register, "_clear") == clear
        else:
            model = Signal(32, init=register.reset, name=f"{name}_model")
            with m.If(acts & ~bank.locked):
                m.d.sync += model.eq((model & ~bits) | word)
            lock |= acts & bank.locked
            rules[f"{name} is as written"] = value == model
    rules["write error"] = implies(bus.write, bus.write_error == ~taken)
    rules["locked write"] = bank.locked_write == lock
    return rules


def bank_rules(bank):
    """(module, free signals)"""
    m = Module()
    m.submodules.bank, _ = elaborated(bank)
    assume(m, bus_contract(m, bank.bus))
    require(m, {**read_rules(bank), **write_rules(m, bank)})
    bus = bank.bus
    values = [
        port(bank, register)
        for register in bank.registers
        if register.access in (Access.RO, Access.RW1C)
    ]
    writes = [bus.write, bus.write_address, bus.write_data, bus.write_strobe]
    return m, [*writes, bus.read, bus.read_address, bank.locked, *values]


@pytest.mark.parametrize(
    ("registers", "strobes_decoded"),
    [
        (REGISTERS, False),
        (IMPORTED_REGISTERS, False),
        (FURTHER_INTERLEAVED_REGISTERS, True),
    ],
    ids=["trained", "imported", "of a further stream"],
)
@pytest.mark.slow_but("trained", "of*")
def test_every_access_is_as_declared(registers, strobes_decoded, tmp_path):
    bank = register_bank.RegisterBank(registers, strobes_decoded=strobes_decoded)
    prove(*bank_rules(bank), tmp_path, depth=3)


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("kept = port.as_value() & ~strobed", "kept = port.as_value() & 0", "is as written"),
        ("bus.write & selected & self._some", "bus.write & selected", "is written"),
        ("self._some & ~partial)", "self._some)", "PROMPT is written"),
        (".eq(self.bus.read & selected)", ".eq(selected)", "is read"),
        ("return selected & ~partial if register.whole else selected", "return selected", "error"),
        ("with m.If(accepted & self.locked):", "with m.If(0):", "locked write"),
        ("bus.write_data & strobed & register.mask", "bus.write_data & strobed", "has the word"),
    ],
)
def test_a_broken_bank_is_refuted(old, new, rule, tmp_path):
    bank = mutated(register_bank, old, new).RegisterBank(REGISTERS)
    with pytest.raises(Refuted, match=rule):
        prove(*bank_rules(bank), tmp_path, depth=5)
