"""Counting of primitives, and one small synthesis by the real yosys."""

import pytest
from amaranth.back import rtlil
from amaranth.hdl import Module, Signal
from amaranth.lib.memory import Memory

from platforms.board import Budget, board
from platforms.synthesis import Resources, count_resources, synthesize_rtlil

# Numbers as yosys gives them for the reference model's top level (`stat -json`).
REFERENCE_CELLS = {
    **{"$scopeinfo": 134, "BUFG": 1, "CARRY4": 2047, "DSP48E1": 80, "IBUF": 1, "INV": 72},
    **{"FDPE": 2, "FDRE": 9879, "FDSE": 18, "LUT2": 1033, "LUT3": 3728, "LUT4": 531},
    **{"LUT5": 1454, "LUT6": 3567, "MUXF7": 25, "OBUFT": 3, "PS7": 1, "RAM32M": 128},
    **{"RAM64M": 24, "RAMB18E1": 33, "RAMB36E1": 16, "SRL16E": 159},
}


def test_counts_of_a_whole_top():
    resources = count_resources(REFERENCE_CELLS)
    logic = 1033 + 3728 + 531 + 1454 + 3567
    assert resources.as_dict() == {
        "lut": logic + 4 * (128 + 24) + 159,
        "ff": 9879 + 18 + 2,
        "bram36": 16 + 33 / 2,
        "dsp": 80,
    }
    assert resources.inverters == 72
    assert resources.detail == REFERENCE_CELLS
    assert resources.exceeding(board("zybo").budget) == []


@pytest.mark.parametrize(
    ("primitive", "luts"),
    [
        ("LUT1", 1),
        ("RAM32X1S", 1),
        ("RAM64X1S", 1),
        ("RAM32X1D", 2),
        ("RAM64X1D", 2),
        ("RAM128X1S", 2),
        ("RAM128X1D", 4),
        ("RAM256X1S", 4),
        ("RAM32M", 4),
        ("RAM64M", 4),
        ("SRL16E", 1),
        ("SRLC32E", 1),
        ("MUXF8", 0),
        ("INV", 0),
    ],
)
def test_luts_per_primitive(primitive, luts):
    assert count_resources({primitive: 3}).lut == 3 * luts


def test_a_primitive_without_a_known_cost_is_an_error():
    with pytest.raises(ValueError, match=r"no cost known for RAM512X1S, URAM288; add it"):
        count_resources({"LUT2": 1, "URAM288": 1, "RAM512X1S": 2})


def test_exceeding_names_resource_used_and_available():
    resources = Resources(lut=101, ff=200, bram36=0.5, dsp=3, detail={})
    budget = Budget(lut=100, ff=200, bram36=0, dsp=3)
    assert resources.exceeding(budget) == [("lut", 101, 100), ("bram36", 0.5, 0)]


def test_a_synthesized_memory_and_adder():
    m = Module()
    m.submodules.memory = memory = Memory(
        shape=36, depth=1024, init=range(1024), attrs={"ram_style": "block"}
    )
    write, read = memory.write_port(), memory.read_port()
    total = Signal(36)
    m.d.sync += total.eq(total + read.data)
    ports = [write.addr, write.data, write.en, read.addr, total]
    result = synthesize_rtlil(rtlil.convert(m, name="top", ports=ports, emit_src=False))
    resources = count_resources(result["cells"])
    assert (resources.ff, resources.bram36, resources.dsp) == (36, 1, 0)
    assert resources.lut >= 36
    assert "SYNTH_XILINX" in result["log"]
