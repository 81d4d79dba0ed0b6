"""AMD (Xilinx) 7 series and Zynq-7000.

Sources: UG474, "7 Series FPGAs CLB" (LUTs per distributed memory and shift register); UG473,
"7 Series FPGAs Memory Resources" (a RAMB18E1 is half a block memory; shapes in simple dual port
mode); UG953, "7 Series Libraries Guide" (primitives).
"""

from __future__ import annotations

import dataclasses

from gateformer.gateware.parts import dsp48

from .family import Family
from .sites import ABSORBED, absorbed_luts

INVERTER = "INV"
"""Absorbed by the LUT or the register behind it."""

_LUTS = {
    **dict.fromkeys(("LUT1", "LUT2", "LUT3", "LUT4", "LUT5", "LUT6", "LUT6_2", "CFGLUT5"), 1),
    **dict.fromkeys(("SRL16", "SRL16E", "SRLC16", "SRLC16E", "SRLC32E"), 1),
    **dict.fromkeys(("RAM16X1S", "RAM32X1S", "RAM64X1S"), 1),
    **dict.fromkeys(("RAM16X1D", "RAM32X1D", "RAM64X1D", "RAM32X2S", "RAM128X1S"), 2),
    **dict.fromkeys(("RAM32M", "RAM64M", "RAM128X1D", "RAM256X1S"), 4),
}


def _packing(netlist: dict) -> dict[str, int]:
    """Nothing is added, but some LUTs are absorbed by carries."""
    return {ABSORBED: absorbed_luts(netlist["modules"]["top"])}


XC7 = Family(
    name="xc7",
    title="AMD 7 series",
    dsp=dsp48.E1,
    synthesis="synth_xilinx -family xc7 -flatten -top top",
    lut_unit="LUT6",
    bram_unit="36 Kb",
    dsp_unit="DSP48E1",
    bram_shapes=((512, 36), (1024, 18), (2048, 9), (4096, 4), (8192, 2), (16384, 1)),
    bram_piece=0.5,
    luts=_LUTS,
    flip_flops={
        name + edge: 1
        for name in ("FDRE", "FDSE", "FDCE", "FDPE", "LDCE", "LDPE")
        for edge in ("", "_1")
    },
    brams={"RAMB36E1": 1.0, "RAMB18E1": 0.5},
    dsps={"DSP48E1": 1},
    packing=_packing,
    carry="CARRY4",
    sites={**_LUTS, "CARRY4": 4, ABSORBED: -1},
    # Besides wires and constants: resources of their own kind, of which these designs use a few.
    free=frozenset(
        (
            *("CARRY4", "MUXF7", "MUXF8", INVERTER, "VCC", "GND", "$scopeinfo"),
            *("IBUF", "IBUFG", "IBUFDS", "OBUF", "OBUFT", "IOBUF", "BUFG", "BUFGCTRL"),
            *("MMCME2_BASE", "MMCME2_ADV", "PLLE2_BASE", "PLLE2_ADV", "PS7", "STARTUPE2"),
        )
    ),
    placed={
        # nextpnr-xilinx counts the LUT5 and the LUT6 of each site, feed-throughs to carry chains,
        # too (SLICE_LUTX): not LUTs in the unit of the data sheet.
        "lut": {},
        "ff": {"SLICE_FFX": 1},
        # older versions print the longer names
        "bram": dict.fromkeys(("RAMB36E1", "RAMB36E1_RAMB36E1"), 1)
        | dict.fromkeys(("RAMB18E1", "RAMB18E1_RAMB18E1"), 0.5),
        "dsp": dict.fromkeys(("DSP48E1", "DSP48E1_DSP48E1"), 1),
    },
    # Names of the modules that were flattened; nextpnr-xilinx of 2025
    # looks for a place for them (openXC7/nextpnr-xilinx, issue 67).
    unplaceable=("$scopeinfo",),
)

OPENXC7 = dataclasses.replace(
    XC7,
    dsp=dsp48.DRIVEN,
    # a multiplier that yosys makes of a product, or packs registers into, would have tied controls
    synthesis="synth_xilinx -family xc7 -nodsp -flatten -top top",
)
"""The same devices through nextpnr-xilinx; see docs/openxc7.md."""
