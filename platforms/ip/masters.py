"""The AXI masters with which an IP core reads and writes external memory: names and widths.

Sources: ARM IHI 0022, "AMBA AXI and ACE Protocol Specification", A2 (signals), A3.4 (bursts of AXI3
and AXI4), A4.4 (AxCACHE); UG585, "Zynq-7000 SoC Technical Reference Manual", AXI_HP (AXI3); UG1085,
"Zynq UltraScale+ Device Technical Reference Manual" (AXI4).
"""

from __future__ import annotations

import dataclasses

from amaranth.hdl import Shape
from amaranth.lib.wiring import Out

from gateformer.gateware.host.any_core import AnyProgram
from gateformer.gateware.memory.bus import (
    ADDRESS_BITS,
    LENGTH_BITS,
    MemoryShape,
    read_signature,
    write_signature,
)
from gateformer.gateware.memory.line_reader import OUTSTANDING as READS
from gateformer.gateware.memory.word_writer import OUTSTANDING as WRITES
from gateformer.gateware.streamed.program import StreamedProgram

from ..boards.axi_bridge import NORMAL_BUFFERABLE

AXI3, AXI4 = "AXI3", "AXI4"
LENGTH_WIDTHS = {AXI3: LENGTH_BITS, AXI4: 8}
"""Bits of AxLEN; a burst has at most 16 beats with either."""
CONSTANTS = {"CACHE": (4, NORMAL_BUFFERABLE), "PROT": (3, 0b000)}
"""(width, value) of what the core has no signal of: normal memory, not cacheable, bufferable; data,
secure, unprivileged."""
_READ, _WRITE = "AR", "AW"


@dataclasses.dataclass(frozen=True)
class Port:
    """A signal of a master.

    Attributes
    ----------
    role : str, the signal's name in AXI
    inner : str or None, its name in HostedCore; None: a constant
    width : int, in Verilog
    inner_width : int, of the signal in HostedCore; above it there are zeros
    is_input : bool
    value : int, of a constant
    """

    role: str
    inner: str | None
    width: int
    inner_width: int
    is_input: bool
    value: int = 0


@dataclasses.dataclass(frozen=True)
class Master:
    """One master of reads and writes, for one port of the memory.

    Attributes
    ----------
    bus : str, what its signals' names begin with
    ports : list of Port
    parameters : dict, of Vivado's bus interface
    """

    bus: str
    ports: list[Port]
    parameters: dict[str, object]


def memory_of(program: AnyProgram) -> MemoryShape | None:
    """The external memory of the program's core, if it has one."""
    return program.memory if isinstance(program, StreamedProgram) else None


def protocol_of(family: str | None) -> str:
    """The protocol of the masters for a family of devices, by its name: that of the memory's ports
    of its processors, AXI3 on a Zynq-7000."""
    return AXI3 if family == "xc7" else AXI4


def bus_name(port: int) -> str:
    """What the names of a master's signals begin with."""
    return f"M{port:02d}_AXI"


def masters(memory: MemoryShape | None, protocol: str) -> list[Master]:
    """The masters, one for every port; none without a memory."""
    if memory is None:
        return []
    parameters = {
        "PROTOCOL": protocol,
        "DATA_WIDTH": 8 * memory.data_bytes,
        "ADDR_WIDTH": ADDRESS_BITS,
        "ID_WIDTH": 0,
        "READ_WRITE_MODE": "READ_WRITE",
        "HAS_BURST": 1,
        "SUPPORTS_NARROW_BURST": 0,
        "MAX_BURST_LENGTH": memory.burst_beats,
        "NUM_READ_OUTSTANDING": READS,
        "NUM_WRITE_OUTSTANDING": WRITES,
    }
    return [
        Master(bus_name(port), _ports(memory, port, LENGTH_WIDTHS[protocol]), parameters)
        for port in range(memory.ports)
    ]


def _ports(memory: MemoryShape, port: int, length_width: int) -> list[Port]:
    found = []
    for channel, prefix, signature in (
        (_READ, "read", read_signature(memory.data_bytes)),
        (_WRITE, "write", write_signature(memory.data_bytes)),
    ):
        for name, member in signature.members.items():
            role, inner_width = name.upper(), Shape.cast(member.shape).width
            width = length_width if role == f"{channel}LEN" else inner_width
            is_input = member.flow is not Out  # the signature is the master's, and so is the core
            found.append(Port(role, f"{prefix}{port}__{name}", width, inner_width, is_input))
        for name, (width, value) in CONSTANTS.items():
            found.append(Port(f"{channel}{name}", None, width, 0, False, value))
    return found
