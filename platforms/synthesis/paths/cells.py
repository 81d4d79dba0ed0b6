"""Timing primitives of 7 series and ECP5: what each cell is to a path, and what it costs.

The nanoseconds are **estimates that rank paths**; see :mod:`platforms.synthesis.paths.depth`.
Sources: DS181 and DS187 (7-series switching characteristics, -1) and yosys' own cell models of both
families (``specify`` blocks, measured by Project X-Ray and Project Trellis); UG473, UG474, UG479
(which registers a block has). ECP5: the typical figures of nextpnr's reports, grade 6.
"""

from __future__ import annotations

import dataclasses
import math
import re


@dataclasses.dataclass(frozen=True)
class Delays:
    """Estimated delays of a family, in nanoseconds; see the module's sources.

    ``memory`` and ``memory_registered``: clock to output of a block memory without and with its
    output register. ``multiplier_*``: clock to output by the last register that is on (output,
    pipeline, input), input to output with none, and setup by the first register that is on.
    """

    lut: float
    carry_entry: float
    carry_bit: float
    carry_exit: float
    wide_mux: float
    register: float
    shift_register: float
    lut_memory: float
    memory: float
    memory_registered: float
    multiplier_output: float
    multiplier_pipeline: float
    multiplier_input: float
    multiplier_through: float
    register_setup: float
    control_setup: float
    memory_setup: float
    multiplier_setup_input: float
    multiplier_setup_pipeline: float
    multiplier_setup_output: float
    net: float
    net_per_doubling: float

    def route(self, fan_out: int) -> float:
        """Estimated delay of a net with ``fan_out`` sinks."""
        return self.net + self.net_per_doubling * math.log2(max(fan_out, 1))


XC7 = Delays(
    lut=0.124,
    carry_entry=0.53,
    carry_bit=0.114 / 4,
    carry_exit=0.23,
    wide_mux=0.24,
    register=0.5,
    shift_register=1.47,
    lut_memory=1.15,
    memory=2.45,
    memory_registered=0.88,
    multiplier_output=0.43,
    multiplier_pipeline=1.67,
    multiplier_input=2.95,
    multiplier_through=2.82,
    register_setup=0.07,
    control_setup=0.4,
    memory_setup=0.57,
    multiplier_setup_input=0.3,
    multiplier_setup_pipeline=1.4,
    multiplier_setup_output=2.7,
    net=0.8,
    net_per_doubling=0.1,
)
ECP5 = Delays(
    lut=0.24,
    carry_entry=0.45,
    carry_bit=0.07 / 2,
    carry_exit=0.44,
    wide_mux=0.2,
    register=0.52,
    shift_register=0.52,
    lut_memory=0.52,
    memory=5.7,
    memory_registered=1.0,
    multiplier_output=1.0,
    multiplier_pipeline=2.6,
    multiplier_input=3.9,
    multiplier_through=3.9,
    register_setup=0.0,
    control_setup=0.2,
    memory_setup=0.2,
    multiplier_setup_input=0.2,
    multiplier_setup_pipeline=2.6,
    multiplier_setup_output=3.9,
    net=0.8,
    net_per_doubling=0.1,
)

LUTS = {f"LUT{n}" for n in range(1, 7)} | {"LUT6_2"}
REGISTERS = {
    name + edge for name in ("FDRE", "FDSE", "FDCE", "FDPE", "LDCE", "LDPE") for edge in ("", "_1")
} | {"TRELLIS_FF"}
REGISTER_DATA = {f"{kind}.{port}" for kind in REGISTERS for port in ("D", "DI")}
ASYNCHRONOUS = ("CLR", "PRE")
SHIFT_REGISTERS = {"SRL16E", "SRLC16E", "SRLC32E"}
SHIFT_REGISTER_DATA = {f"{kind}.D" for kind in SHIFT_REGISTERS}
CARRY_BITS = {"CARRY4": 4, "CCU2C": 2}
CARRIES = set(CARRY_BITS)
MUX_SELECT = {"MUXF7": "S", "MUXF8": "S", "PFUMX": "C0", "L6MUX21": "SD"}
LUT_MEMORY_READS = {
    **{f"RAM{depth}M": {f"DO{x}": f"ADDR{x}" for x in "ABCD"} for depth in (32, 64)},
    **{
        f"RAM{depth}X1D": {"SPO": f"A{end}", "DPO": f"DPRA{end}"}
        for depth, end in (("16", r"\d"), ("32", r"\d"), ("64", r"\d"), ("128", ""))
    },
    **{
        f"RAM{depth}X1S": {"O": f"A{end}"}
        for depth, end in (("16", r"\d"), ("32", r"\d"), ("64", r"\d"), ("128", r"\d"), ("256", ""))
    },
    "TRELLIS_DPR16X4": {"DO": "RAD"},
}
"""Pattern of the address ports by output port."""
MEMORIES = {"RAMB18E1", "RAMB36E1", "DP16KD"}
MULTIPLIERS = {"DSP48E1", "MULT18X18D"}
PAD_BUFFERS = {"IBUF": ("O", "I"), "OBUF": ("I", "O"), "OBUFT": ("I", "O")}
"""Their ports inside and outside."""
BUFFERS = {"INV", *PAD_BUFFERS, "BUFG", "BUFGCTRL", "DCCA"}
BOUNDARIES = {
    *("PS7", "MMCME2_ADV", "MMCME2_BASE", "PLLE2_ADV", "PLLE2_BASE", "STARTUPE2", "IOBUF"),
    *("EHXPLLL", "TRELLIS_IO", "OSCG", "USRMCLK"),
}
IGNORED = {"$scopeinfo", "VCC", "GND", "GSR"}
KNOWN = {
    *LUTS,
    *REGISTERS,
    *SHIFT_REGISTERS,
    *CARRIES,
    *MUX_SELECT,
    *LUT_MEMORY_READS,
    *MEMORIES,
    *MULTIPLIERS,
    *BUFFERS,
    *BOUNDARIES,
    *IGNORED,
}
CLOCKED = {*REGISTERS, *SHIFT_REGISTERS, *LUT_MEMORY_READS, *MEMORIES, *MULTIPLIERS}
CLOCK_PIN = re.compile(r"W?CLK[AB0-3]?|WCK|(REG)?CLK(ARD|BWR|ARDR)CLK|REGCLKB")
REGISTER_CLOCK_PIN = re.compile(r"C|G|CLK")
"""Of registers alone: C is data to a DSP48E1."""
RESET_PIN = re.compile(r"R|S|CLR|PRE|LSR|RST\w*")
ENABLE_PIN = re.compile(r"GE|CE\w*|EN(ARDEN|BWREN)|REGCE\w+|OCE[AB]")
SCALAR_BUS = {"DP16KD", "MULT18X18D"}
"""Primitives that have a port per bit: the port's number is a bit's, not part of its name."""
CASCADE_PIN = re.compile(r"[ABP]CIN|CASCADEIN[AB]|CARRYCASCIN|MULTSIGNIN|SR[IO][AB]\d+")
AUTONAME = re.compile(r"_(?:" + "|".join(sorted(KNOWN - IGNORED, reverse=True)) + r")(?=_|$)")
"""How yosys names what it made after a signal: signal_PRIMITIVE_PORT_…"""


def is_clock(cell: dict, port: str) -> bool:
    """Whether a pin is a clock of a register or block."""
    kind = cell["type"]
    pattern = REGISTER_CLOCK_PIN if kind in REGISTERS else CLOCK_PIN
    return kind in CLOCKED and pattern.fullmatch(port) is not None
