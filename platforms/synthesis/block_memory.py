"""Initial contents of mapped block memories, decoded from the cells' parameters.

Sources: UG473, "7 Series FPGAs Memory Resources", tables 1-15 and 1-16 (INIT, INITP) and table
1-12 (pins in simple dual-port mode); FPGA-TN-02204, "ECP5 and ECP5-5G Memory Usage Guide"
(initialization: lines of 16 words of 18 bits, each in 20); UG285, "Gowin BSRAM & SSRAM User
Guide" (INIT_RAM attributes).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from .netlist import Cell, Net
from .ultrascale_memory import WIDEST, of_7_series, pin_of_7_series

BLOCK_MEMORIES = {
    "xc7": ("RAMB18E1", "RAMB36E1"),
    "xcup": tuple(WIDEST),
    "ecp5": ("DP16KD", "PDPW16KD"),
    "gowin": ("SP", "SPX9", "SDPB", "SDPX9B", "DPB", "DPX9B", "pROM", "pROMX9"),
}
"""Block memories of each family."""


@dataclasses.dataclass(frozen=True)
class ReadPin:
    """What an output pin of a block memory reads.

    Attributes
    ----------
    address : list of nets, bit 0 first, of the address that chooses the bit
    prefix, lines, line_bits
        The parameters with the contents: names ``prefix`` + 00, 01, … (hexadecimal), how many,
        bits of each.
    locate : function of addresses (int64 [n]) to bit numbers in these parameters end to end
    """

    address: list[Net]
    prefix: str
    lines: int
    line_bits: int
    locate: Callable[[np.ndarray], np.ndarray]

    def contents(self, cell: Cell, addresses: np.ndarray) -> np.ndarray:
        """Bits (uint8 [n]) that ``cell`` holds at ``addresses`` (int64 [n])."""
        octets = b"".join(
            cell.integer(f"{self.prefix}{line:02X}", 0).to_bytes(self.line_bits // 8, "little")
            for line in range(self.lines)
        )
        bits = np.unpackbits(np.frombuffer(octets, np.uint8), bitorder="little")
        return bits[self.locate(addresses)]


def read_pin(cell: Cell, port: str, bit: int) -> ReadPin | None:
    """The read behind bit ``bit`` of an output port; None if the pin's port does not read.

    Raises ValueError for a mode that is not decoded here.
    """
    family = next((name for name, types in BLOCK_MEMORIES.items() if cell.type in types), None)
    decoder = {"xc7": _xc7, "xcup": _xcup, "ecp5": _ecp5, "gowin": _gowin}.get(family)
    if decoder is None or cell.type in ("PDPW16KD", "pROM", "pROMX9"):
        raise ValueError(f"{cell.name}: contents of a {cell.type} are not decoded")
    return decoder(cell, port, bit)


def _data_bits(width: int) -> int:
    """Bits of a port of that width without parity."""
    return width // 9 * 8 if width >= 9 else width


def _xc7(cell: Cell, port: str, bit: int) -> ReadPin | None:
    large = cell.type == "RAMB36E1"
    if any(cell.text(f"RAM_EXTENSION_{side}", "NONE") != "NONE" for side in "AB"):
        raise ValueError(f"{cell.name}: cascaded block memories are not decoded")
    upper = port in ("DOBDO", "DOPBDOP")
    simple = cell.text("RAM_MODE", "TDP") == "SDP"
    # in simple dual-port mode port A reads, and has the pins of port B as its upper half
    side = "A" if simple or not upper else "B"
    width = cell.integer(f"READ_WIDTH_{side}", 0)
    parity = port.startswith("DOP")
    data_bits = _data_bits(width)
    half = (4 if large else 2) if parity else (32 if large else 16)
    bit += half * (simple and upper)
    if bit >= (width // 9 if parity else data_bits):
        return None
    pins = cell.pins["ADDRARDADDR" if side == "A" else "ADDRBWRADDR"][: 15 if large else 14]
    if parity:
        lines = 16 if large else 8
        return ReadPin(pins, "INITP_", lines, 256, lambda a: ((a & -data_bits) >> 3) + bit)
    return ReadPin(pins, "INIT_", 128 if large else 64, 256, lambda a: (a & -data_bits) + bit)


def _xcup(cell: Cell, port: str, bit: int) -> ReadPin | None:
    return _xc7(of_7_series(cell), pin_of_7_series(port), bit)


def _ecp5(cell: Cell, port: str, _) -> ReadPin | None:
    side, bit = port[2], int(port[3:])
    width = cell.integer(f"DATA_WIDTH_{side}", 18)
    if width == 36:
        # one address, port B's, for the 36 bits {DOB, DOA}
        bit, side = bit + 18 * (side == "B"), "B"
    if bit >= width:
        return None
    if width == 36:
        row, within = (lambda a: (a >> 5) * 2 + bit // 18), (lambda a: bit % 18)
    elif width == 18:
        row, within = (lambda a: a >> 4), (lambda a: bit)
    else:
        narrow = 0 if width == 9 else 7 & -width
        row, within = (lambda a: a >> 4), (lambda a: 9 * (a >> 3 & 1) + (a & narrow) + bit)
    pins = [cell.pins[f"AD{side}{i}"][0] for i in range(14)]
    return ReadPin(pins, "INITVAL_", 64, 320, lambda a: row(a) * 20 + within(a))


def _gowin(cell: Cell, port: str, bit: int) -> ReadPin | None:
    if cell.type.startswith("SDP"):
        width, pins = cell.integer("BIT_WIDTH_1", 32), cell.pins["ADB"]
    elif cell.type.startswith("SP"):
        width, pins = cell.integer("BIT_WIDTH", 32), cell.pins["AD"]
    else:
        width = cell.integer("BIT_WIDTH_0" if port == "DOA" else "BIT_WIDTH_1", 16)
        pins = cell.pins["ADA" if port == "DOA" else "ADB"]
    if bit >= width:
        return None
    line_bits = 288 if "X9" in cell.type else 256
    unit = _data_bits(width)  # addresses count bits without parity
    return ReadPin(pins[:14], "INIT_RAM_", 64, line_bits, lambda a: a // unit * width + bit)
