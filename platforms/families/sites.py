"""LUT sites of a mapped 7-series netlist: how much of the device's LUTs is really taken.

A slice has four LUTs and one CARRY4, whose bit i adds at the LUT i (UG474, "7 Series FPGAs CLB",
"Carry Logic"). So a CARRY4 takes the sites of all four, whether or not its bits have LUTs:

    LUT sites (CARRY4 takes four) = 4 · CARRY4 + LUTs that no carry absorbs
                                    + LUTs of memories and shift registers

**A LUT is absorbed if its output has exactly one load, and that is an S input of a CARRY4**: it is
the LUT of that bit, O6 to S, and its site is among the four. All others are counted on their own:

- a LUT whose output also goes elsewhere, or to two S inputs: it feeds one bit as well, but
  nextpnr-xilinx takes a LUT of one user alone into the carry's slice, and otherwise makes a
  feed-through LUT at the bit (its ``xilinx/pack_carry_xc7.cc``);
- a LUT of a DI input: beside the O6 of the same bit it could be its O5, if together they have at
  most five inputs, which a netlist does not promise; otherwise DI comes from outside, by AX to DX.

Packing two LUTs of together at most five inputs into one site is not counted on either. A packer
that is short of room can do all three, so this is not a lower bound: it is what a plain one needs.
On the Zybo's netlist of 10,980 LUTs (8 × 64, 64 lanes) it gives the 13,491 sites that were counted
independently; absorbing every LUT of an S input would give 13,113, those of DI besides 12,697, and
nextpnr-xilinx spread the design over 15,537.
"""

from __future__ import annotations

from .family import uses_of_nets

ABSORBED = "LUT absorbed by CARRY4"
"""Beside the primitives in the counts of a netlist: LUTs that take no site of their own."""

_LUTS = frozenset(("LUT1", "LUT2", "LUT3", "LUT4", "LUT5", "LUT6"))
"""LUTs with one output."""


def absorbed_luts(module: dict) -> int:
    """LUTs of a module of yosys' JSON whose one load is an S input of a CARRY4."""
    uses, cells = uses_of_nets(module), module["cells"].values()
    selects = {
        net
        for cell in cells
        if cell["type"] == "CARRY4"
        for net in cell["connections"].get("S", ())
    }
    outputs = (cell["connections"]["O"][0] for cell in cells if cell["type"] in _LUTS)
    return sum(net in selects and uses[net] == 1 for net in outputs)
