"""What a 7-series netlist takes of a device, as nextpnr-xilinx places it.

Cells as in yosys' JSON; ``drivers``: net to (cell's name, port) that drives it.
"""

from __future__ import annotations

import collections

from ..families.family import uses_of_nets
from ..families.sites import absorbed_luts
from ..families.xc7 import XC7

CASCADES = ("ACIN", "BCIN", "PCIN", "CARRYCASCIN", "MULTSIGNIN")
"""Inputs of a DSP48E1 that only the block below can drive."""
RESETS = ("R", "S", "CLR", "PRE")
"""Resets of flip-flops."""


def lut_sites(module: dict) -> int:
    """LUT sites, as :mod:`platforms.families.sites` defines them."""
    taken = (XC7.sites.get(cell["type"], 0) for cell in module["cells"].values())
    return sum(taken) - absorbed_luts(module)


def by_multiplier(net, cells: dict, drivers: dict) -> bool:
    return net in drivers and cells[drivers[net][0]]["type"] == "DSP48E1"


def multiplier_tiles(cells: dict, drivers: dict) -> int:
    """Tiles of two blocks that the multipliers need.

    The lower block of a tile is the only one that a multiplier without a cascade gets; of a
    cascade every other one.
    """
    below = {}
    for name, cell in cells.items():
        if cell["type"] != "DSP48E1":
            continue
        nets = [net for port in CASCADES for net in cell["connections"].get(port, [])]
        sources = {drivers[net][0] for net in nets if by_multiplier(net, cells, drivers)}
        below[name] = min(sources, default=None)
    above = {lower: name for name, lower in below.items() if lower is not None}
    tiles = 0
    for name in (name for name, lower in below.items() if lower is None):
        length = 1
        while name in above:
            name, length = above[name], length + 1
        tiles += -(-length // 2)
    return tiles


def carry_chains(cells: dict, drivers: dict) -> list[list[str]]:
    """Names of the CARRY4 of each chain, from the bottom."""
    following, first = {}, []
    for name, cell in cells.items():
        if cell["type"] != "CARRY4":
            continue
        driver, port = drivers.get((cell["connections"].get("CI") or ["0"])[0], (None, None))
        if port == "CO" and cells[driver]["type"] == "CARRY4":
            following[driver] = name
        else:
            first.append(name)
    chains = []
    for name in first:
        chain = [name]
        while chain[-1] in following:
            chain.append(following[chain[-1]])
        chains.append(chain)
    return chains


def carries_fed_out(module: dict) -> int:
    """Carries that logic uses, too: the chain is cut there, which costs a CARRY4."""
    uses = uses_of_nets(module)
    carried = collections.Counter()
    outputs = []
    for cell in module["cells"].values():
        if cell["type"] == "CARRY4":
            carried.update(cell["connections"].get("CI", []))
            outputs += cell["connections"].get("CO", [])
    return sum(uses[net] > carried[net] for net in outputs)


def control_sets(cells: dict) -> set[tuple]:
    """Distinct (clock, enable, reset, whether it is asynchronous) of the flip-flops, as nets."""
    sets = set()
    for cell in cells.values():
        if cell["type"].startswith("FD"):
            pins = cell["connections"]
            reset = next(port for port in RESETS if port in pins)
            asynchronous = reset in ("CLR", "PRE")
            sets.add((pins["C"][0], pins["CE"][0], pins[reset][0], asynchronous))
    return sets
