"""A Gowin netlist that nextpnr can time: what it leaves out otherwise is in the netlist's hands.

nextpnr-himbaechel-gowin 0.11.1 has delays of LUT4, ALU, wide multiplexers, flip-flops, LUT memories
and most of the block memories' ports, by the names of the cells. A LUT1, LUT2 or LUT3 is none of
them, so no path through one is timed. Nor is a path into a flip-flop whose data does not come from
the LUT or adder bit in front of it: after placement nextpnr puts a LUT there that lets the data
pass, and assigns it no delays. Both were found by experiment (``findings/gowin_small_luts.sh``,
``findings/gowin_pass_through.sh``) and in its source: himbaechel/arch.cc (``assignArchInfo``,
``get_cell_timing_idx``), himbaechel/uarch/gowin/gowin.cc (``create_passthrough_luts``),
gowin_arch_gen.py (``create_timing_info``).

So every LUT becomes a LUT4 here, which is what it is in the device, and the LUT that lets data pass
is in the netlist from the beginning. Neither takes anything that nextpnr would not take.
"""

from __future__ import annotations

import json

_INPUTS = ("I0", "I1", "I2", "I3")
_SMALL_LUTS = ("LUT1", "LUT2", "LUT3")
_PASSES = f"{0xFF00:016b}"
"""A LUT4 that is its last input, the fastest one."""


def timed_netlist(text: str) -> str:
    """Yosys' JSON of a module ``top`` for nextpnr: the same circuit, of cells that it times."""
    netlist = json.loads(text)
    cells = netlist["modules"]["top"]["cells"]
    behind = dict.fromkeys(flip_flops_behind_nothing(netlist["modules"]["top"]))
    free = 1 + max((net for net in _nets(netlist["modules"]["top"])), default=1)
    for cell in cells.values():
        if cell["type"] in _SMALL_LUTS:
            _widen(cell)
    for net, name in enumerate(behind, free):
        data = cells[name]["connections"]["D"]
        cells[f"{name}$pass"] = {
            "hide_name": 1,
            "type": "LUT4",
            "parameters": {"INIT": _PASSES},
            "attributes": {},
            "port_directions": {_INPUTS[3]: "input", "F": "output"},
            "connections": {_INPUTS[3]: data, "F": [net]},
        }
        cells[name]["connections"]["D"] = [net]
    return json.dumps(netlist, indent=1) + "\n"


def flip_flops_behind_nothing(module: dict) -> list[str]:
    """Names of the flip-flops whose data comes from neither a LUT of their own nor an adder bit.

    A LUT's own is the first one that it drives. An adder bit's flip-flop is placed beside it or
    not, as nextpnr likes.
    """
    sources = {}
    for cell in module["cells"].values():
        for port, bits in cell["connections"].items():
            if cell["port_directions"][port] == "output":
                sources.update((bit, (cell["type"], port)) for bit in bits)
    found, taken = [], set()
    for name, cell in module["cells"].items():
        if not cell["type"].startswith("DFF"):
            continue
        data = cell["connections"]["D"][0]
        kind, port = sources.get(data, (None, None))
        if isinstance(data, str) or kind in ("VCC", "GND") or (kind, port) == ("ALU", "SUM"):
            continue
        if (kind in _SMALL_LUTS or kind == "LUT4") and data not in taken:
            taken.add(data)
            continue
        found.append(name)
    return found


def _nets(module: dict):
    for cell in module["cells"].values():
        for bits in cell["connections"].values():
            yield from (bit for bit in bits if isinstance(bit, int))
    for thing in (*module["ports"].values(), *module.get("netnames", {}).values()):
        yield from (bit for bit in thing["bits"] if isinstance(bit, int))


def _widen(cell: dict) -> None:
    """A LUT of fewer inputs as a LUT4 that does not look at the others."""
    init = cell["parameters"]["INIT"]
    cell["type"] = "LUT4"
    cell["parameters"] = {**cell["parameters"], "INIT": init * (16 // len(init))}
