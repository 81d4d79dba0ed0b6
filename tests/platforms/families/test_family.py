"""What primitives cost in each family, and what nextpnr adds to a netlist."""

import pytest

from gateformer.platforms.boards.board import board
from gateformer.platforms.families.ecp5 import ECP5
from gateformer.platforms.families.family import Budget, Resources
from gateformer.platforms.families.gowin import GOWIN
from gateformer.platforms.families.sites import ABSORBED
from gateformer.platforms.families.xc7 import XC7
from gateformer.platforms.families.xcup import XCUP

# Numbers as yosys gives them for the reference model's top level (`stat -json`).
REFERENCE_CELLS = {
    **{"$scopeinfo": 134, "BUFG": 1, "CARRY4": 2047, "DSP48E1": 80, "IBUF": 1, "INV": 72},
    **{"FDPE": 2, "FDRE": 9879, "FDSE": 18, "LUT2": 1033, "LUT3": 3728, "LUT4": 531},
    **{"LUT5": 1454, "LUT6": 3567, "MUXF7": 25, "OBUFT": 3, "PS7": 1, "RAM32M": 128},
    **{"RAM64M": 24, "RAMB18E1": 33, "RAMB36E1": 16, "SRL16E": 159},
}


def test_counts_of_a_whole_top():
    resources = XC7.count(REFERENCE_CELLS)
    logic = 1033 + 3728 + 531 + 1454 + 3567
    assert resources.as_dict() == {
        "lut": logic + 4 * (128 + 24) + 159,
        "ff": 9879 + 18 + 2,
        "bram": 16 + 33 / 2,
        "dsp": 80,
        "sites": logic + 4 * (128 + 24) + 159 + 4 * 2047,
        "carry": 2047,
    }
    assert resources.detail == REFERENCE_CELLS
    assert resources.exceeding(board("zybo").budget) == []


# Netlists of one core each (a random model of d_model 8, 2 x 4 weights, 4 lanes) and of the
# shipped model's core at 8 x 64: the cells that yosys gave, the ends of carry chains that are
# nextpnr's, and the utilization that nextpnr 0.11.1 then printed.
@pytest.mark.parametrize(
    ("family", "cells", "added", "placed"),
    [
        (
            ECP5,
            {"CCU2C": 350, "DP16KD": 7, "LUT4": 2193, "MULT18X18D": 10, "PFUMX": 384}
            | {"TRELLIS_DPR16X4": 51, "TRELLIS_FF": 2347, "L6MUX21": 23},
            {"CCU2C": 94, "LUT4": 2},
            {"TRELLIS_COMB": 3389, "TRELLIS_FF": 2347, "DP16KD": 7, "MULT18X18D": 10},
        ),
        (
            ECP5,
            {"CCU2C": 4529, "DP16KD": 68, "LUT4": 18555, "MULT18X18D": 88}
            | {"TRELLIS_DPR16X4": 248, "TRELLIS_FF": 15769},
            {"CCU2C": 1414, "LUT4": 2},
            {"TRELLIS_COMB": 31931, "TRELLIS_FF": 15769, "DP16KD": 68, "MULT18X18D": 88},
        ),
        (
            GOWIN,
            {"ALU": 740, "DFF": 1691, "DFFE": 255, "DFFR": 244, "DFFRE": 155, "DFFSE": 2}
            | {"DPX9B": 3, "LUT1": 215, "LUT2": 448, "LUT3": 587, "LUT4": 1041, "SPX9": 4}
            | {"MULT18X18": 4, "MULT9X9": 8, "MUX2_LUT5": 461, "RAM16SDP4": 51, "IBUF": 3},
            {"ALU": 92},
            {"LUT4": 3531, "DFF": 2653, "BSRAM": 7, "MULT18X18": 4, "MULT9X9": 8},
        ),
    ],
)
def test_counts_equal_those_of_nextpnr(family, cells, added, placed):
    total = {name: cells.get(name, 0) + added.get(name, 0) for name in cells | added}
    assert family.count(total).as_dict() == family.count_placed(placed)


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
    assert XC7.count({primitive: 3}).lut == 3 * luts


def test_what_ultrascale_has_else():
    """UG574: memories of LUTs take a CLB; a CARRY8 has the sites of all its LUTs."""
    cells = {"LUT6": 5, "RAM32M16": 2, "RAM64M8": 1, "SRL16E": 3, "CARRY4": 2, "CARRY8": 1}
    blocks = {"RAMB36E2": 2, "RAMB18E2": 3, "DSP48E2": 7, "FDRE": 11}
    free = {"PS8": 1, "BUFG_PS": 1, "MMCME4_BASE": 1, "MUXF9": 1}
    resources = XCUP.count({**cells, **blocks, **free, ABSORBED: 4})
    assert (resources.lut, resources.ff, resources.bram, resources.dsp) == (32, 11, 3.5, 7)
    assert resources.sites == 32 + 2 * 4 + 8 - 4
    for theirs in ("RAMB36E1", "RAMB18E1", "DSP48E1", "RAM32M", "RAM64M", "PS7", "URAM288"):
        with pytest.raises(ValueError, match=f"no cost known for {theirs}; "):
            XCUP.count({theirs: 1})


@pytest.mark.parametrize(
    ("family", "place"),
    [(XC7, "xc7"), (XCUP, "xcup"), (ECP5, "ecp5"), (GOWIN, "gowin")],
    ids=lambda v: str(v)[:5],
)
def test_a_primitive_without_a_known_cost_is_an_error(family, place):
    message = rf"no cost known for RAM512X1S, URAM288; add it to platforms\.{place}$"
    with pytest.raises(ValueError, match=message):
        family.count({"LUT2" if family is not ECP5 else "LUT4": 1, "URAM288": 1, "RAM512X1S": 2})


def test_exceeding_names_resource_used_and_available():
    resources = Resources(lut=101, ff=200, bram=0.5, dsp=3, detail={})
    budget = Budget(lut=100, ff=200, bram=0, dsp=3)
    assert resources.exceeding(budget) == [("lut", 101, 100), ("bram", 0.5, 0)]


def chain(primitive: str, length: int, carry_in, *, used_out: bool, first_net: int = 10):
    """Cells of a carry chain: carries are nets from ``first_net`` on."""
    nets = [carry_in, *range(first_net, first_net + length)]
    cells = {
        f"{primitive}{first_net}_{i}": {
            "type": primitive,
            "port_directions": {"CIN": "input", "COUT": "output"},
            "connections": {"CIN": [nets[i]], "COUT": [nets[i + 1]]},
        }
        for i in range(length)
    }
    ports = {"carry": {"direction": "output", "bits": [nets[-1]]}} if used_out else {}
    return {"modules": {"top": {"cells": cells, "ports": ports}}}


@pytest.mark.parametrize("carry_in", ["0", 2])
@pytest.mark.parametrize("used_out", [False, True])
def test_ecp5_carry_chains_get_two_ends(carry_in, used_out):
    netlist = chain("CCU2C", 4, carry_in, used_out=used_out)
    assert ECP5.packing(netlist) == {"CCU2C": 2, "LUT4": 2 if carry_in == "0" else 1}


def test_ecp5_a_carry_that_is_used_in_between_is_tapped():
    netlist = chain("CCU2C", 4, "0", used_out=False)
    netlist["modules"]["top"]["ports"]["tap"] = {"direction": "output", "bits": [11]}
    assert ECP5.packing(netlist)["CCU2C"] == 3


@pytest.mark.parametrize(
    ("length", "used_out", "added"), [(3, False, 1), (4, False, 2), (3, True, 3), (4, True, 2)]
)
def test_gowin_carry_chains_are_of_even_length(length, used_out, added):
    assert GOWIN.packing(chain("ALU", length, "0", used_out=used_out)) == {"ALU": added}


def test_a_netlist_without_carries():
    empty = {"modules": {"top": {"cells": {}, "ports": {}}}}
    assert ECP5.packing(empty) == {"CCU2C": 0, "LUT4": 1}
    assert GOWIN.packing(empty) == {"ALU": 0}
    assert XC7.packing(empty) == {ABSORBED: 0}


@pytest.mark.parametrize("family", [XC7, XCUP, ECP5, GOWIN])
def test_shapes_fill_a_block_memory(family):
    bits = {depth * width for depth, width in family.bram_shapes}
    assert bits <= {2**14, 2**14 + 2**11}
