"""Which primitives, parameters and pins the cell models of a netlist simulation stand for.

A netlist with anything else is refused rather than simulated wrongly.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator

from .netlist import Cell, Module, Net, parse_bits
from .ultrascale_memory import OFF, WIDEST, json_of_7_series, of_7_series

_XILINX_LUTS = {f"LUT{n}": ([f"I{i}" for i in range(n)], "O") for n in range(1, 7)}
LUTS = {
    "xc7": _XILINX_LUTS,
    "xcup": _XILINX_LUTS,
    "ecp5": {"LUT4": (["A", "B", "C", "D"], "Z")},
    "gowin": {f"LUT{n}": ([f"I{i}" for i in range(n)], "F") for n in range(1, 5)},
}
"""LUTs of each family: input pins, lowest first, and output; INIT has one bit per input value."""

ANY = None
"""For a parameter whose every value is modelled."""
_ZERO = (0,)
_REGISTERS = dict.fromkeys(
    (
        *("AREG", "ACASCREG", "BREG", "BCASCREG", "CREG", "DREG", "ADREG", "MREG", "PREG"),
        *("INMODEREG", "OPMODEREG", "ALUMODEREG", "CARRYINREG", "CARRYINSELREG"),
    )
)
_DSP48 = {
    **_REGISTERS,
    **{f"IS_{name}_INVERTED": _ZERO for name in ("ALUMODE", "CARRYIN", "CLK", "INMODE", "OPMODE")},
    "A_INPUT": ("DIRECT",),
    "B_INPUT": ("DIRECT",),
    "USE_MULT": ("MULTIPLY", "DYNAMIC"),
    "USE_SIMD": ("ONE48",),
    "USE_PATTERN_DETECT": ("NO_PATDET",),
    "AUTORESET_PATDET": ("NO_RESET",),
    **dict.fromkeys(("SEL_MASK", "SEL_PATTERN", "MASK", "PATTERN")),
}
_DSP48E1 = {**_DSP48, "USE_DPORT": ("TRUE", "FALSE")}
_DSP_RESETS = ("A", "ALLCARRYIN", "ALUMODE", "B", "C", "CTRL", "D", "INMODE", "M", "P")
_DSP48E2 = {
    **_DSP48,
    **{f"IS_RST{name}_INVERTED": _ZERO for name in _DSP_RESETS},
    "AMULTSEL": ("A", "AD"),
    "BMULTSEL": ("B",),
    "PREADDINSEL": ("A",),
    "USE_WIDEXOR": ("FALSE",),
    **dict.fromkeys(("AUTORESET_PRIORITY", "RND", "XORSIMD")),
}
_RAMB = {
    "RAM_MODE": ("TDP", "SDP"),
    **{f"READ_WIDTH_{side}": (0, 1, 2, 4, 9, 18, 36, 72) for side in "AB"},
    **{f"WRITE_WIDTH_{side}": (0, 1, 2, 4, 9, 18, 36, 72) for side in "AB"},
    **{f"WRITE_MODE_{side}": ("READ_FIRST", "WRITE_FIRST", "NO_CHANGE") for side in "AB"},
    **{f"RAM_EXTENSION_{side}": ("NONE",) for side in "AB"},
    **{f"DO{side}_REG": (0, 1) for side in "AB"},
    **{f"SRVAL_{side}": ANY for side in "AB"},
    "INIT*": ANY,
}
_RAMB_E2 = {**_RAMB, **OFF}
_DP16KD = {
    **{f"DATA_WIDTH_{side}": (1, 2, 4, 9, 18, 36) for side in "AB"},
    **{f"REGMODE_{side}": ("NOREG", "OUTREG") for side in "AB"},
    **{f"WRITEMODE_{side}": ("NORMAL", "WRITETHROUGH", "READBEFOREWRITE") for side in "AB"},
    **{f"CSDECODE_{side}": ("0b000",) for side in "AB"},
    **{f"CLK{side}MUX": (f"CLK{side}",) for side in "AB"},
    **dict.fromkeys(("RESETMODE", "ASYNC_RESET_RELEASE"), ("SYNC", "ASYNC")),
    "GSR": ANY,
    "INITVAL_*": ANY,
}
_MULT18X18D = {
    **{
        f"REG_{register}_{pin}": (*(f"{pin}{i}" for i in range(4)), *(["NONE"] * (pin == "CLK")))
        for register in ("INPUTA", "INPUTB", "INPUTC", "PIPELINE", "OUTPUT")
        for pin in ("CLK", "CE", "RST")
    },
    **{f"CLK{i}_DIV": ("ENABLED",) for i in range(4)},
    "SOURCEB_MODE": ANY,  # of the shift inputs, which are refused
    "HIGHSPEED_CLK": ("NONE",),
    "CAS_MATCH_REG": ("FALSE",),
    "MULT_BYPASS": ("DISABLED",),
    "RESETMODE": ("SYNC",),
    "GSR": ANY,
}
_FDRE = {"INIT": ANY, **{f"IS_{pin}_INVERTED": _ZERO for pin in "CDRS"}}
_XILINX_MEMORY = {"INIT*": ANY, "IS_CLK_INVERTED": _ZERO, "IS_WCLK_INVERTED": _ZERO}
_TRELLIS_FF = {
    "CEMUX": ("CE", "1", "0", "INV"),
    "CLKMUX": ("CLK",),
    "LSRMUX": ("LSR", "INV"),
    "SRMODE": ("LSR_OVER_CE",),
    "LSRMODE": ("LSR",),
    "REGSET": ("SET", "RESET"),
    "GSR": ANY,
}
_NONE: dict = {}
_XILINX_LOGIC = {
    **dict.fromkeys(("CARRY4", "MUXF7", "MUXF8", "VCC", "GND", "INV"), _NONE),
    **dict.fromkeys(("IBUF", "OBUF", "BUFG"), _NONE),
    **dict.fromkeys(("FDRE", "FDSE"), _FDRE),
    **dict.fromkeys(("SRL16E", "SRLC32E"), _XILINX_MEMORY),
    **dict.fromkeys(("RAM32X1D", "RAM64X1D", "RAM128X1D"), _XILINX_MEMORY),
}
_CCU2C = {"INIT0": ANY, "INIT1": ANY, "INJECT1_0": ("YES", "NO"), "INJECT1_1": ("YES", "NO")}

SUPPORTED = {
    "xc7": {
        **_XILINX_LOGIC,
        **dict.fromkeys(("RAM32M", "RAM64M"), _XILINX_MEMORY),
        **dict.fromkeys(("RAMB18E1", "RAMB36E1"), _RAMB),
        "DSP48E1": _DSP48E1,
    },
    "xcup": {
        **_XILINX_LOGIC,
        **dict.fromkeys(("RAM32M16", "RAM64M8"), _XILINX_MEMORY),
        **dict.fromkeys(WIDEST, _RAMB_E2),
        "DSP48E2": _DSP48E2,
    },
    "ecp5": {
        **dict.fromkeys(("PFUMX", "L6MUX21", "VLO", "VHI", "INV"), _NONE),
        "CCU2C": _CCU2C,
        "TRELLIS_FF": _TRELLIS_FF,
        "TRELLIS_DPR16X4": {"INITVAL": ANY, "WCKMUX": ("WCK",), "WREMUX": ("WRE", "1", "0", "INV")},
        "DP16KD": _DP16KD,
        "MULT18X18D": _MULT18X18D,
    },
}
"""Per family, the modelled primitives and their parameters: allowed values, or :data:`ANY`."""


def check_supported(module: Module, family: str) -> None:
    """Raise ValueError, naming cell and setting, for a netlist that is not modelled in full."""
    for cell in module.cells.values():
        if cell.type in LUTS[family] or cell.type.startswith("$"):
            continue  # Yosys' own cells mean the same everywhere
        if cell.type not in SUPPORTED[family]:
            raise ValueError(f"no model of {cell.type} (cell {cell.name}) for {family}")
        for name, allowed in _settings(cell, SUPPORTED[family][cell.type]):
            if allowed is ANY:
                continue
            integers = isinstance(allowed[0], int)
            value = cell.integer(name) if integers else cell.text(name, "")
            if value not in allowed:
                raise _refused(cell, f"{name}={value}")
        for pin, nets in _fixed_pins(cell):
            if any(net not in ("0", "x") for net in nets):
                raise _refused(cell, f"pin {pin} that is not 0")
        _check_widths(cell)


def _refused(cell: Cell, what: str) -> ValueError:
    return ValueError(f"the model of {cell.type} does not have {what} (cell {cell.name})")


def _settings(cell: Cell, table: dict) -> Iterator[tuple[str, tuple | None]]:
    prefixes = tuple(name.rstrip("*") for name in table if name.endswith("*"))
    for name in cell.parameters:
        if name in table:
            yield name, table[name]
        elif not (prefixes and name.startswith(prefixes)):
            raise _refused(cell, f"the parameter {name}")


def _fixed_pins(cell: Cell) -> Iterable[tuple[str, list[Net]]]:
    """Pins that must be 0."""
    names: tuple[str, ...] = ()
    match cell.type:
        case "DSP48E1" | "DSP48E2":
            names = ("CARRYINSEL", "CARRYCASCIN", "MULTSIGNIN", "PCIN", "ACIN", "BCIN")
            # of a tied ALUMODE only 0 is of use; what a net brings, the model heeds
            tied = [net for net in cell.pins.get("ALUMODE", []) if isinstance(net, str)]
            return [("ALUMODE", tied), *((name, cell.pins.get(name, [])) for name in names)]
        case "MULT18X18D":
            names = ("SOURCEA", "SOURCEB")
        case "RAMB18E2" | "RAMB36E2":
            cascades = ("CASDIMUXA", "CASDIMUXB", "CASDOMUXA", "CASDOMUXB")
            names = (*cascades, "CASOREGIMUXA", "CASOREGIMUXB", "SLEEP")
        case "DP16KD" if cell.text("RESETMODE", "SYNC") == "ASYNC":
            names = ("RSTA", "RSTB")
    return [(name, cell.pins.get(name, [])) for name in names]


def _check_widths(cell: Cell) -> None:
    """Port widths of block memories go together."""
    if cell.type in WIDEST:
        cell = of_7_series(cell)
    if cell.type == "DP16KD":
        wide = [cell.integer(f"DATA_WIDTH_{side}", 18) == 36 for side in "AB"]
        if wide[0] != wide[1]:
            raise _refused(cell, "one port of 36 bits only")
    if cell.type in ("RAMB18E1", "RAMB36E1"):
        widest = 36 if cell.type == "RAMB18E1" else 72
        if cell.text("RAM_MODE", "TDP") == "SDP":
            if cell.integer("WRITE_WIDTH_B", 0) not in (0, widest):
                raise _refused(cell, "a narrow write port in simple dual-port mode")
            return
        for side in "AB":
            read, write = (cell.integer(f"{way}_WIDTH_{side}", 0) for way in ("READ", "WRITE"))
            if max(read, write) == widest:
                raise _refused(cell, "a true dual port of full width")
            first = cell.text(f"WRITE_MODE_{side}", "WRITE_FIRST") == "WRITE_FIRST"
            if first and read and write and read != write:
                raise _refused(cell, "WRITE_FIRST with ports of different widths")


def simulation_netlist(content: dict, family: str) -> dict:
    """A module's JSON with a lookup (``$shiftx``) for each LUT, without names and attributes.

    Thousands of different LUTs would otherwise be as many modules. Xilinx' carry chains get a
    pin for each bit. Undefined bits of parameters become 0, as they are in a bitstream.
    """
    cells = {}
    for number, cell in enumerate(content["cells"].values()):
        if cell["type"] == "$scopeinfo":
            continue
        cell = {**cell, "attributes": {}, "hide_name": 1}
        cell["parameters"] = {
            name: text.replace("x", "0") if set(text) <= set("01x") else text
            for name, text in cell["parameters"].items()
        }
        if cell["type"] in LUTS[family]:
            cell = _lookup(cell, *LUTS[family][cell["type"]])
        elif cell["type"] == "CARRY4":
            cell = _by_bits(cell, "xilinx_carry")
        elif cell["type"] in WIDEST:
            cell = json_of_7_series(cell)
        cells[f"${number}"] = cell
    return {"attributes": {"top": "1"}, "ports": content["ports"], "cells": cells, "netnames": {}}


def _by_bits(cell: dict, model: str) -> dict:
    """The cell as a ``model`` whose pins of several bits are as many pins, with a number."""
    connections, directions = {}, {}
    for pin, nets in cell["connections"].items():
        for i, net in enumerate(nets):
            name = pin if len(nets) == 1 else f"{pin}{i}"
            connections[name] = [net]
            directions[name] = cell["port_directions"][pin]
    return {**cell, "type": model, "connections": connections, "port_directions": directions}


def _lookup(cell: dict, inputs: list[str], output: str) -> dict:
    pins = cell["connections"]
    table = f"{parse_bits(cell['parameters']['INIT']):0{1 << len(inputs)}b}"
    widths = {"A": len(table), "B": len(inputs), "Y": 1}
    return {
        "hide_name": 1,
        "type": "$shiftx",
        "attributes": {},
        "parameters": {
            **{f"{pin}_WIDTH": f"{width:032b}" for pin, width in widths.items()},
            **{f"{pin}_SIGNED": "0" * 32 for pin in "AB"},
        },
        "port_directions": {"A": "input", "B": "input", "Y": "output"},
        "connections": {
            "A": list(reversed(table)),
            "B": [pins[pin][0] for pin in inputs],
            "Y": copy.copy(pins[output]),
        },
    }
