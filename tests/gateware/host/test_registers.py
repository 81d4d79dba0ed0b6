"""The register declarations, what is generated from them, and the bank that decodes them."""

import random
import re
import subprocess
import sys
from pathlib import Path

import pytest

from gateformer.gateware.host import register_documents
from gateformer.gateware.host.base_registers import ACCELERATOR_MAGIC
from gateformer.gateware.host.imported_registers import IMPORTED_REGISTERS
from gateformer.gateware.host.register import Access, Field, Register
from gateformer.gateware.host.register_bank import RegisterBank
from gateformer.gateware.host.registers import DOCUMENTED, register
from gateformer.gateware.host.reload_registers import RELOAD_REGISTERS
from gateformer.gateware.host.streamed_registers import STREAMED_REGISTERS
from tests.support.component_simulation import simulate

ROOT = Path(__file__).parents[3]

SMALL = (
    Register("VERSION", 0x00, Access.RO, (Field("value", 0, 32, ""),), ""),
    Register("FLAGS", 0x04, Access.RW1C, (Field("a", 0, 1, ""), Field("b", 9, 1, "")), ""),
    Register("MODE", 0x08, Access.RW, (Field("x", 4, 9, "", 5), Field("y", 30, 2, "", 2)), ""),
    Register("COMMAND", 0x0C, Access.WO, (Field("go", 0, 1, ""), Field("n", 16, 8, "")), ""),
    Register("PUSH", 0x10, Access.WO, (Field("value", 0, 32, ""),), "", whole=True),
    Register("POP", 0x14, Access.RO, (Field("value", 0, 8, ""),), "", "reading takes it"),
)


@pytest.mark.parametrize("declared", DOCUMENTED)
def test_names_and_offsets_are_unique_and_rise(declared):
    offsets = [entry.offset for entry in declared]
    assert offsets == sorted(set(offsets))
    assert len({entry.name for entry in declared}) == len(declared)


def test_what_both_kinds_have_is_at_the_same_place():
    places = {entry.name: entry.offset for entry in RELOAD_REGISTERS}
    both = {e.name: e.offset for e in IMPORTED_REGISTERS if e.name in places}
    assert len(both) == len(IMPORTED_REGISTERS) - len(("HEADS", "FAMILY", "TOP_P"))
    assert both.items() <= places.items()


def test_committed_document_is_the_generated_one():
    """To write it again: gateformer registers --document > docs/registers.md"""
    committed = (ROOT / "docs" / "registers.md").read_text(encoding="utf-8")
    assert committed == register_documents.document(*DOCUMENTED)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--document"], register_documents.document(*DOCUMENTED)),
        (["--header"], register_documents.header(RELOAD_REGISTERS)),
        (["--header", "--imported"], register_documents.header(IMPORTED_REGISTERS)),
        (["--header", "--streamed"], register_documents.header(STREAMED_REGISTERS)),
    ],
)
def test_command_prints_the_generated_text(options, expected):
    command = [sys.executable, "-m", "gateformer.gateware.host.registers", *options]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
    assert printed.decode() == expected


def test_header_defines_every_offset_shift_and_mask():
    header = register_documents.header(RELOAD_REGISTERS)
    defined = dict(re.findall(r"^#define (\w+) (\w+)u$", header, re.MULTILINE))
    expected = {}
    for entry in RELOAD_REGISTERS:
        expected[f"GATEFORMER_{entry.name}"] = entry.offset
        for field in entry.fields:
            name = f"GATEFORMER_{entry.name}_{field.name.upper()}"
            expected[f"{name}_SHIFT"] = field.low
            expected[f"{name}_MASK"] = field.mask
    assert {name: int(value, 0) for name, value in defined.items()} == expected


def test_pack_and_unpack():
    temperature = register("TEMPERATURE")
    assert temperature.pack(mult=200, shift=17) == 200 | 17 << 8
    assert temperature.unpack(0xFFFF0000 | 17 << 8 | 200) == {"mult": 200, "shift": 17}
    with pytest.raises(ValueError, match=r"^TEMPERATURE.shift must be 0 to 31, not 32$"):
        temperature.pack(shift=32)
    with pytest.raises(KeyError):
        temperature.pack(temperature=1)
    with pytest.raises(KeyError):
        register("TEMPER")


@pytest.mark.parametrize(
    ("offset", "fields", "message"),
    [
        (2, (), "offset of R must be a multiple of 4 below 4096, not 2"),
        (4096, (), "offset of R must be a multiple of 4 below 4096, not 4096"),
        (0, (Field("a", 0, 2, ""), Field("b", 1, 1, "")), "field b of R must be free bits of 31"),
        (0, (Field("a", 30, 3, ""),), "field a of R must be free bits of 31 to 0, not 3 from bit"),
        (0, (Field("a", 0, 2, "", reset=4),), "reset of R.a must have 2 bits, not 4"),
    ],
)
def test_declarations_are_checked(offset, fields, message):
    with pytest.raises(ValueError, match="^" + re.escape(message)):
        Register("R", offset, Access.RW, fields, "")


def test_bank_against_a_model_of_it():
    rng = random.Random(4)
    dut = RegisterBank(SMALL)
    bus = dut.bus
    mode_mask = SMALL[2].mask
    mode = SMALL[2].reset

    async def testbench(ctx):
        nonlocal mode
        for _ in range(800):
            version, flags, head = rng.getrandbits(32), rng.getrandbits(2), rng.getrandbits(8)
            write, read, locked = rng.getrandbits(1), rng.getrandbits(1), rng.random() < 0.3
            offset, read_offset = rng.choice(range(0, 32, 4)), rng.choice(range(0, 32, 4))
            data, strobe = rng.getrandbits(32), rng.choice([0, 15, rng.getrandbits(4)])
            ctx.set(dut.version.value, version)
            ctx.set(dut.flags, {"a": flags & 1, "b": flags >> 1})
            ctx.set(dut.pop.value, head)
            ctx.set(dut.locked, locked)
            ctx.set(bus.write_address, offset >> 2)
            ctx.set(bus.write_data, data)
            ctx.set(bus.write_strobe, strobe)
            ctx.set(bus.read_address, read_offset >> 2)
            await ctx.tick()  # they are there a cycle before the access
            ctx.set(bus.write, write)
            ctx.set(bus.read, read)

            words = {0: version, 4: flags & 1 | (flags >> 1) << 9, 8: mode, 0x14: head}
            assert ctx.get(bus.read_error) == (read_offset not in words)
            assert ctx.get(bus.read_data) == words.get(read_offset, 0)
            assert ctx.get(dut.pop_read) == (read and read_offset == 0x14)

            partial = offset == 0x10 and strobe not in (0, 15)
            if write:
                assert ctx.get(bus.write_error) == (offset not in (4, 8, 0xC, 0x10) or partial)
            bits = sum(0xFF << 8 * i for i in range(4) if strobe >> i & 1)
            acts = bool(write and strobe and not partial)
            assert ctx.get(dut.command_write) == (acts and offset == 0xC)
            if ctx.get(dut.command_write):
                assert ctx.get(dut.command.as_value()) == data & bits & 0x00FF0001
            assert ctx.get(dut.push_write) == (acts and offset == 0x10)
            if ctx.get(dut.push_write):
                assert ctx.get(dut.push.value) == data
            cleared = data & bits & 0x201 if acts and offset == 4 else 0
            assert ctx.get(dut.flags_clear) == cleared
            assert ctx.get(dut.locked_write) == (acts and offset == 8 and locked)
            assert ctx.get(dut.mode.as_value()) == mode
            if acts and offset == 8 and not locked:
                mode = (mode & ~bits | data & bits) & mode_mask
            await ctx.tick()
            ctx.set(bus.write, 0)
            ctx.set(bus.read, 0)

    simulate(dut, testbench)


def test_magic_is_readable_in_memory():
    assert ACCELERATOR_MAGIC.to_bytes(4, "little") == b"GTF1"
