"""Lattice ECP5.

Sources: FPGA-DS-02012, "ECP5 and ECP5-5G Family Data Sheet" (slices, distributed memory);
FPGA-TN-02204, "ECP5 and ECP5-5G Memory Usage Guide" (shapes of a block memory, pseudo dual port);
FPGA-TN-02205, "ECP5 and ECP5-5G sysDSP Usage Guide"; FPGA-TN-02200 (PLL).
"""

from __future__ import annotations

import math
import re

from .family import Family, uses_of_nets


def _packing(netlist: dict) -> dict[str, int]:
    """What nextpnr adds: a cell at both ends of every carry chain, and two constants.

    Carries enter and leave a chain through a cell of their own, a constant or an unused one too;
    another taps a carry that is used in between.
    """
    module = netlist["modules"]["top"]
    carries = [cell["connections"] for cell in module["cells"].values() if cell["type"] == "CCU2C"]
    outputs = {carry["COUT"][0] for carry in carries if carry.get("COUT")}
    inputs = [carry["CIN"][0] for carry in carries if carry.get("CIN")]
    uses = uses_of_nets(module)
    starts = sum(net not in outputs for net in inputs)
    ends = len(outputs - set(inputs))
    tapped = sum(net in outputs and uses[net] > 1 for net in inputs)
    # the driver of ones is always there
    return {"CCU2C": starts + ends + tapped, "LUT4": 1 + (uses["0"] > 0)}


MULTIPLIER_NS = {"6": 3.86, "7": 3.45, "8": 3.05}
"""From the input registers of a MULT18X18D to its output, by speed grade: Lattice's figures as
Project Trellis has them, which nextpnr-ecp5 0.11.1 uses where there is no output register
(``findings/ecp5_multiplier_registers.sh`` prints them). The path to the output register, of which
nextpnr knows nothing, is at most as long."""
_SPEED_GRADE = re.compile(r"-([678])[A-Z]")


def _multiplier_mhz(device: str) -> float | None:
    """The highest clock of a multiplier with input and output registers, in whole MHz."""
    grade = _SPEED_GRADE.search(device)
    return None if grade is None else math.floor(1000 / MULTIPLIER_NS[grade[1]])


_BOUNDS = ", ".join(
    f"{math.floor(1000 / ns)} MHz at speed grade {grade}" for grade, ns in MULTIPLIER_NS.items()
)
UNTIMED = (
    "nextpnr-ecp5 does not time the path inside a multiplier block, from its input to its output "
    f"registers; Lattice's delays bound it to {_BOUNDS}, and no higher clock is accepted or "
    "reported"
)
"""What the maximum frequency of nextpnr-ecp5 leaves out."""

ECP5 = Family(
    name="ecp5",
    title="Lattice ECP5",
    dsp="mult18x18d",
    synthesis="synth_ecp5 -top top",
    lut_unit="LUT4",
    bram_unit="18 Kb",
    dsp_unit="MULT18X18D",
    bram_shapes=((512, 36), (1024, 18), (2048, 9), (4096, 4), (8192, 2), (16384, 1)),
    bram_piece=1,
    # Sum: the TRELLIS_COMB of nextpnr. A wide multiplexer (PFUMX, L6MUX21) sits behind its LUTs
    # and takes none; a 16 x 4 memory takes four, and the two whose inputs its write port uses.
    luts={"LUT4": 1, "CCU2C": 2, "TRELLIS_DPR16X4": 6, "INV": 1},
    flip_flops={"TRELLIS_FF": 1},
    brams={"DP16KD": 1, "PDPW16KD": 1},
    dsps={"MULT18X18D": 1, "MULT9X9D": 0.5},
    # Besides wires and constants: resources of their own kind, of which these designs use a few.
    free=frozenset(
        (
            *("PFUMX", "L6MUX21", "VHI", "VLO", "ALU54B", "$scopeinfo"),
            *("TRELLIS_IO", "IB", "OB", "OBZ", "BB", "DCCA", "EHXPLLL", "GSR", "SGSR", "OSCG"),
        )
    ),
    packing=_packing,
    multiplier_mhz=_multiplier_mhz,
    placed={
        "lut": {"TRELLIS_COMB": 1},
        "ff": {"TRELLIS_FF": 1},
        "bram": {"DP16KD": 1},
        "dsp": {"MULT18X18D": 1},
    },
)
