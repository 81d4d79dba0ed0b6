"""Gowin GW1N and GW2A ("LittleBee", "Arora").

Sources: UG288, "Gowin Configurable Function Unit User Guide" (LUTs, ALUs, SSRAM); UG285, "Gowin
BSRAM & SSRAM User Guide" (shapes of a block memory, semi dual port); UG287, "Gowin DSP User
Guide"; SUG283, "Gowin Primitives User Guide".
"""

from __future__ import annotations

from .family import Family, uses_of_nets
from .gowin_netlist import timed_netlist

_BLOCK_MEMORIES = (
    *("SP", "SPX9", "SDP", "SDPB", "SDPX9", "SDPX9B", "DP", "DPB", "DPX9", "DPX9B"),
    *("ROM", "ROMX9", "pROM", "pROMX9"),
)
_FLIP_FLOPS = ("", "E", "S", "SE", "R", "RE", "P", "PE", "C", "CE")

_MEMORIES = tuple(f"RAM16S{port}{width}" for port in ("", "DP") for width in (1, 2, 4))


def _packing(netlist: dict) -> dict[str, int]:
    """The adder bits that nextpnr-himbaechel adds to carry chains.

    One where the carry comes in, one where it is used as anything but a carry, and one more if
    the number is odd.
    """
    module = netlist["modules"]["top"]
    bits = [cell["connections"] for cell in module["cells"].values() if cell["type"] == "ALU"]
    uses = uses_of_nets(module)
    by_carry_in = {bit["CIN"][0]: bit for bit in bits}
    carries_out = {bit["COUT"][0] for bit in bits if bit.get("COUT")}
    added = 0
    for carry_in, bit in ((bit["CIN"][0], bit) for bit in bits):
        if carry_in in carries_out and uses[carry_in] == 1:
            continue
        length = 2
        while uses[carry := bit["COUT"][0]] == 1 and carry in by_carry_in:
            bit = by_carry_in[carry]
            length += 1
        tail = uses[carry] > 0
        added += 1 + tail + (length + tail) % 2
    return {"ALU": added}


UNTIMED = (
    "nextpnr-himbaechel-gowin times no path from or to a multiplier, none of the second port of a "
    "dual-port block memory, no data input of a LUT memory, and no adder bit whose flip-flop it "
    "did not place beside it: its maximum frequency covers the rest"
)
"""What its maximum frequency leaves out of what :mod:`platforms.families.gowin_netlist` makes."""

GOWIN = Family(
    name="gowin",
    title="Gowin GW1N, GW2A",
    dsp="gowin",
    # yosys' two families differ in the black boxes that they declare, of which these designs use
    # none that is not in both. Without wide multiplexers, which save less than a hundredth of the
    # LUTs: nextpnr knows no delay of the wire that selects, and a flip-flop can't be behind one.
    synthesis="synth_gowin -family gw2a -nowidelut -top top",
    lut_unit="LUT4",
    bram_unit="18 Kb",
    dsp_unit="MULT18X18",
    bram_shapes=((512, 36), (1024, 18), (2048, 9), (4096, 4), (8192, 2), (16384, 1)),
    bram_piece=1,
    # Sums: the LUT4 and DFF of nextpnr. An adder bit (ALU) takes a LUT's place; a wide multiplexer
    # sits behind its LUTs; a 16 x 4 memory takes a whole function unit.
    luts={
        **dict.fromkeys(("LUT1", "LUT2", "LUT3", "LUT4", "ALU", "INV"), 1),
        **dict.fromkeys(_MEMORIES, 8),
    },
    flip_flops={
        **{f"DFF{edge}{kind}": 1 for edge in ("", "N") for kind in _FLIP_FLOPS},
        **dict.fromkeys(_MEMORIES, 6),
    },
    brams=dict.fromkeys(_BLOCK_MEMORIES, 1),
    dsps={"MULT18X18": 1, "MULT9X9": 0.5, "MULT36X36": 4, "MULTALU18X18": 1},
    # Besides wires and constants: resources of their own kind, of which these designs use a few.
    free=frozenset(
        (
            *("MUX2_LUT5", "MUX2_LUT6", "MUX2_LUT7", "MUX2_LUT8", "VCC", "GND", "GSR"),
            *("IBUF", "TLVDS_IBUF", "OBUF", "TBUF", "IOBUF", "BUFG", "rPLL", "PLLVR", "$scopeinfo"),
        )
    ),
    packing=_packing,
    placeable=timed_netlist,
    placed={
        "lut": {"LUT4": 1},
        "ff": {"DFF": 1},
        "bram": {"BSRAM": 1},
        "dsp": {"MULT18X18": 1, "MULT9X9": 0.5, "MULT36X36": 4, "MULTALU18X18": 1},
    },
)
