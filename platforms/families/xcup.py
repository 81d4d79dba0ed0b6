"""AMD (Xilinx) UltraScale+ and Zynq UltraScale+.

Sources: UG574, "UltraScale Architecture Configurable Logic Block" (a CLB has 8 LUTs, 16 flip-flops
and a CARRY8; LUTs per distributed memory and shift register); UG573, "UltraScale Architecture
Memory Resources" (a RAMB18E2 is half a block memory; shapes in simple dual port mode); UG579,
"UltraScale Architecture DSP Slice"; UG974, "UltraScale Architecture Libraries Guide" (primitives).
The UltraRAMs stay unused: a bitstream can't initialize them (UG573).

yosys makes carry chains of CARRY4, as of the 7 series. A CARRY8 beside the 8 LUTs of a CLB is two
of them, and can be two that do not belong together (CARRY_TYPE "DUAL_CY4"), so what
:mod:`platforms.families.sites` says of LUT sites holds here, too.
"""

from __future__ import annotations

import dataclasses

from gateformer.gateware.parts import dsp48

from .family import UNITS
from .sites import ABSORBED
from .xc7 import XC7

_LUTS = {
    **{name: luts for name, luts in XC7.luts.items() if name not in ("RAM32M", "RAM64M")},
    **dict.fromkeys(("RAM32M16", "RAM64M8"), 8),
}

XCUP = dataclasses.replace(
    XC7,
    name="xcup",
    title="AMD UltraScale+",
    dsp=dsp48.E2,
    synthesis="synth_xilinx -family xcup -flatten -top top",
    dsp_unit="DSP48E2",
    luts=_LUTS,
    brams={"RAMB36E2": 1.0, "RAMB18E2": 0.5},
    dsps={"DSP48E2": 1},
    sites={**_LUTS, "CARRY4": 4, "CARRY8": 8, ABSORBED: -1},
    free=frozenset(
        (
            *(name for name in XC7.free if not name.startswith(("MMCM", "PLL", "PS7", "STARTUP"))),
            *("CARRY8", "MUXF9", "BUFG_PS", "BUFGCE", "MMCME4_BASE", "MMCME4_ADV", "PS8"),
        )
    ),
    # no nextpnr places for these devices
    placed={name: {} for name in UNITS},
    unplaceable=(),
)
