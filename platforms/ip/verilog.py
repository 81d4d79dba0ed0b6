"""Verilog of an IP core: the generated system behind a wrapper with standard AXI4-Lite ports, and
masters for a model in external memory.

Sources: ARM IHI 0022, "AMBA AXI and ACE Protocol Specification", chapters A2 (signals) and A3.1
(reset); UG1118, "Vivado: Creating and Packaging Custom IP" (attributes X_INTERFACE_INFO and
X_INTERFACE_PARAMETER, by which Vivado's block design finds the interfaces).
"""

from __future__ import annotations

from amaranth.back import rtlil
from amaranth.hdl import Shape
from amaranth.lib.wiring import Out

from gateformer.gateware.host.any_core import AnyProgram
from gateformer.gateware.host.axi_lite import DATA_BITS, axi_lite_signature
from gateformer.gateware.host.hosted_core import HostedCore
from gateformer.gateware.host.register import ADDRESS_WIDTH

from ..support.verilog import MEMORY_HINTS, verilog_text
from .masters import Master, Port, masters, memory_of

TOP = "gateformer"
"""Module, IP and file name."""
GENERIC = "generic"
"""Multiplier family without a vendor's primitives."""
BUS = "S_AXI"
CLOCK, RESET = f"{BUS}_ACLK", f"{BUS}_ARESETN"
STATUS = {
    "busy": "a sequence is being generated",
    "context_full": "the last sequence ended because the context was full",
}
"""Outputs beside the bus, named as in HostedCore, and what they say."""
SYSTEM = f"{TOP}_system"
"""Module of what is generated, inside the wrapper."""
_PARAMETERS = {
    "PROTOCOL": "AXI4LITE",
    "DATA_WIDTH": DATA_BITS,
    "ADDR_WIDTH": ADDRESS_WIDTH,
    "READ_WRITE_MODE": "READ_WRITE",
    "HAS_BURST": 0,
    "SUPPORTS_NARROW_BURST": 0,
    "NUM_READ_OUTSTANDING": 1,
    "NUM_WRITE_OUTSTANDING": 1,
}
"""No FREQ_HZ: the clock is whatever the block design connects."""


def ip_verilog(
    program: AnyProgram, *, build_id: int, clock_khz: int, dsp: str, head: str, protocol: str
) -> str:
    """Verilog of module ``gateformer``, complete but for the primitives of ``dsp``.

    With those of no vendor it has no hints about memories either: a hint that one family needs
    ("distributed") is an error in another that has no such memory (iCE40, GateMate).

    ``head`` is text for a comment at the top, ``protocol`` that of the masters of a core with
    external memory (:mod:`.masters`). Raises ToolError if yosys fails.
    """
    hints = MEMORY_HINTS if dsp == GENERIC else ()
    system = verilog_text(system_rtlil(program, SYSTEM, build_id, clock_khz, dsp), without=hints)
    comment = "\n".join(f"// {line}".rstrip() for line in head.splitlines())
    wrapper = _wrapper(masters(memory_of(program), protocol))
    return f"{comment}\n\n{wrapper}\n{system}"


def system_rtlil(program: AnyProgram, name: str, build_id: int, clock_khz: int, dsp: str) -> str:
    """RTLIL of a :class:`HostedCore` as module ``name``."""
    system = HostedCore(program, build_id=build_id, clock_khz=clock_khz, dsp=dsp)
    return rtlil.convert(system, name=name, emit_src=False)


def bus_ports() -> list[tuple[str, str, int, bool]]:
    """(name in Verilog, name in HostedCore, width, is_input) of every signal of the bus."""
    return [
        (f"{BUS}_{name.upper()}", f"axi__{name}", Shape.cast(member.shape).width, is_input)
        for name, member in axi_lite_signature(ADDRESS_WIDTH).members.items()
        for is_input in (member.flow is Out,)  # the signature is the master's
    ]


def _wrapper(memory: list[Master]) -> str:
    """Module with the standard's names, which a person may read."""
    clock_role = f"xilinx.com:signal:clock:1.0 {CLOCK} CLK"
    reset_role = f"xilinx.com:signal:reset:1.0 {RESET} RST"
    buses = ":".join([BUS, *(master.bus for master in memory)])
    ports = [
        _attribute("INFO", clock_role)
        + _attribute("PARAMETER", f"ASSOCIATED_BUSIF {buses}, ASSOCIATED_RESET {RESET}")
        + _port(CLOCK, 1, True),
        _attribute("INFO", reset_role)
        + _attribute("PARAMETER", "POLARITY ACTIVE_LOW")
        + _port(RESET, 1, True),
    ]
    # the domain's own reset: the port's would reach the core a cycle later than the registers
    connections, constants = [("clk", CLOCK), ("rst", f"~{RESET}"), ("reset", "1'b0")], []
    for name, inner, width, is_input in bus_ports():
        role = name.removeprefix(f"{BUS}_")
        attributes = _roles(BUS, role, _PARAMETERS if role == "AWADDR" else {})
        ports.append(attributes + _port(name, width, is_input))
        connections.append((inner, name))
    for master in memory:
        for port in master.ports:
            name = f"{master.bus}_{port.role}"
            attributes = _roles(
                master.bus, port.role, master.parameters if port.role == "ARADDR" else {}
            )
            ports.append(attributes + _port(name, port.width, port.is_input))
            if port.inner is not None:
                connections.append((port.inner, f"{name}{_inner_part(port)}"))
            constants += _constant_part(name, port)
    for name, meaning in STATUS.items():
        ports.append(f"    // {meaning}\n" + _port(name, 1, False))
        connections.append((name, name))
    # AXI's reset may be asserted at any time and is released with the clock (IHI 0022, A3.1.2).
    joined = ",\n".join(f"        .{inner}({outer})" for inner, outer in connections)
    assigned = "".join(f"    {line}\n" for line in constants)
    return (
        f"module {TOP} (\n" + ",\n".join(ports) + "\n);\n\n"
        f"{assigned}    {SYSTEM} system (\n{joined}\n    );\n\nendmodule\n"
    )


def _roles(bus: str, role: str, parameters: dict) -> str:
    """Attributes of one signal of a bus; the parameters are at one of them."""
    text = _attribute("INFO", f"xilinx.com:interface:aximm:1.0 {bus} {role}")
    if parameters:
        listed = ", ".join(f"{name} {value}" for name, value in parameters.items())
        text += _attribute("PARAMETER", listed)
    return text


def _inner_part(port: Port) -> str:
    return "" if port.inner_width == port.width else f"[{port.inner_width - 1}:0]"


def _constant_part(name: str, port: Port) -> list[str]:
    """The assignment of the bits that the core does not have."""
    if port.inner_width == port.width:
        return []
    place = f"[{port.width - 1}:{port.inner_width}]" if port.inner_width else ""
    return [f"assign {name}{place} = {port.width - port.inner_width}'d{port.value};"]


def _attribute(kind: str, value: str) -> str:
    return f'    (* X_INTERFACE_{kind} = "{value}" *)\n'


def _port(name: str, width: int, is_input: bool) -> str:
    direction = "input " if is_input else "output"
    size = "" if width == 1 else f"[{width - 1}:0]"
    return f"    {direction} wire {size:>6} {name}"
