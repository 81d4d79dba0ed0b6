"""One small synthesis by the real yosys for each family, and what is kept of it."""

import json
import random

import pytest
from amaranth.back import rtlil
from amaranth.hdl import Module, Signal
from amaranth.lib.memory import Memory

from gateformer.platforms.families.ecp5 import ECP5
from gateformer.platforms.families.gowin import GOWIN
from gateformer.platforms.families.xc7 import XC7
from gateformer.platforms.synthesis.synthesis import synthesize_rtlil


@pytest.fixture(scope="module")
def design():
    m, generator = Module(), random.Random(1)
    m.submodules.memory = memory = Memory(
        shape=36,
        depth=1024,
        init=[generator.getrandbits(36) for _ in range(1024)],
        attrs={"ram_style": "block", "rom_style": "block"},
    )
    read = memory.read_port()
    total = Signal(36)
    m.d.sync += total.eq(total + read.data)
    ports = [read.addr, total]
    return rtlil.convert(m, name="top", ports=ports, emit_src=False)


@pytest.mark.parametrize(
    ("family", "bram", "adder"), [(XC7, 1, 36), (ECP5, 2, 36 + 2 * 2), (GOWIN, 2, 36 + 2)]
)
@pytest.mark.slow_but("family[12]*")
def test_a_synthesized_memory_and_adder(design, family, bram, adder):
    result = synthesize_rtlil(design, family)
    resources = family.count(result.cells)
    assert (resources.ff, resources.bram, resources.dsp) == (36, bram, 0)
    # the adder, with the ends of its carry chain, and a few LUTs for constants
    assert adder <= resources.lut <= adder + 4
    assert "Executing SYNTH_" in result.log
    netlist = json.loads(result.netlist.read_text())
    types = {cell["type"] for cell in netlist["modules"]["top"]["cells"].values()}
    assert types and not types & set(family.unplaceable)


def test_it_is_kept(design, monkeypatch):
    from gateformer.platforms.support import yosys

    first = synthesize_rtlil(design, XC7)
    monkeypatch.setattr(yosys, "run", None)
    assert synthesize_rtlil(design, XC7) == first
