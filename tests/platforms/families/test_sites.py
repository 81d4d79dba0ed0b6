"""LUT sites on netlists by hand: every clause of what a carry absorbs, and the sum."""

from __future__ import annotations

import pytest

from gateformer.platforms.families.ecp5 import ECP5
from gateformer.platforms.families.sites import ABSORBED, absorbed_luts
from gateformer.platforms.families.xc7 import XC7
from tests.platforms.synthesis.mapped_netlist import Netlist


def adder(netlist: Netlist, selects, data=("0",) * 4, sums=("o0", "o1", "o2", "o3")):
    pins = {"CI": "0", "CYINIT": "0", "S": list(selects), "DI": list(data)}
    netlist.add("CARRY4", outputs=("O", "CO"), O=list(sums), CO=["c0", "c1", "c2", "c3"], **pins)


def counted(netlist: Netlist):
    """Resources as synthesis counts them."""
    design = netlist.json()
    cells: dict[str, int] = {}
    for cell in design["modules"]["top"]["cells"].values():
        cells[cell["type"]] = cells.get(cell["type"], 0) + 1
    return XC7.count({**cells, **XC7.packing(design)})


def absorbed(netlist: Netlist) -> int:
    return absorbed_luts(netlist.json()["modules"]["top"])


def test_the_lut_of_a_bit_is_absorbed_and_a_carry_takes_four_sites():
    netlist = Netlist()
    for i in range(3):
        netlist.lut(f"s{i}", f"a{i}", f"b{i}")
    adder(netlist, ["s0", "s1", "s2", "0"])
    assert absorbed(netlist) == 3
    # three LUTs in the four sites of the carry, the fourth of them empty
    resources = counted(netlist)
    assert (resources.lut, resources.sites, resources.carry) == (3, 4, 1)


@pytest.mark.parametrize(
    "elsewhere",
    [
        lambda netlist: netlist.register("q", "s0"),
        lambda netlist: netlist.lut("y", "s0", "z"),
        lambda netlist: netlist.port("out", "output", "s0"),
        lambda netlist: adder(netlist, ["s0", "0", "0", "0"], sums=("p0", "p1", "p2", "p3")),
        lambda netlist: adder(netlist, ["0"] * 4, ["s0", "0", "0", "0"], ("p0", "p1", "p2", "p3")),
    ],
    ids=["a register", "a LUT", "an output", "another S", "a DI"],
)
def test_a_lut_that_drives_anything_else_is_not_absorbed(elsewhere):
    netlist = Netlist()
    netlist.lut("s0", "a", "b")
    adder(netlist, ["s0", "0", "0", "0"])
    assert absorbed(netlist) == 1
    elsewhere(netlist)
    assert absorbed(netlist) == 0


def test_a_lut_of_both_inputs_of_one_bit_is_not_absorbed():
    netlist = Netlist()
    netlist.lut("s0", "a", "b")
    adder(netlist, ["s0", "0", "0", "0"], ["s0", "0", "0", "0"])
    assert absorbed(netlist) == 0


@pytest.mark.parametrize("port", ["DI", "CI", "CYINIT"])
def test_a_lut_of_another_input_of_the_carry_is_not_absorbed(port):
    netlist = Netlist()
    netlist.lut("x", "a", "b")
    pins = {"CI": "0", "CYINIT": "0", "S": ["0"] * 4, "DI": ["0"] * 4}
    pins[port] = ["x", "0", "0", "0"] if port == "DI" else "x"
    netlist.add("CARRY4", outputs=("O",), O=["o0", "o1", "o2", "o3"], **pins)
    assert absorbed(netlist) == 0
    assert counted(netlist).sites == 5


def test_a_lut_without_a_carry_is_a_site():
    netlist = Netlist()
    netlist.lut("x", "a", "b")
    netlist.register("q", "x")
    assert (absorbed(netlist), counted(netlist).sites) == (0, 1)


def test_a_register_before_the_carry_absorbs_nothing():
    netlist = Netlist()
    netlist.lut("x", "a", "b")
    netlist.register("q", "x")
    adder(netlist, ["q", "0", "0", "0"])
    assert counted(netlist).sites == 1 + 4


def test_memories_and_shift_registers_take_the_sites_of_their_luts():
    netlist = Netlist()
    netlist.add("RAM32M", outputs=("DOA",), DOA=["a", "b"], ADDRA=["0"] * 5)
    netlist.add("SRL16E", outputs=("Q",), Q="s", D="a")
    # its output is a bit's S, but a shift register keeps its site
    adder(netlist, ["s", "0", "0", "0"])
    resources = counted(netlist)
    assert (resources.lut, resources.sites) == (4 + 1, 4 + 1 + 4)


def test_other_families_have_no_sites_of_their_own():
    resources = ECP5.count({"LUT4": 3, "CCU2C": 2})
    assert resources.sites is None and "sites" not in resources.as_dict()
    assert ABSORBED not in ECP5.packing({"modules": {"top": Netlist().json()["modules"]["top"]}})
