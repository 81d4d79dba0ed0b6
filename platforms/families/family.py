"""What an FPGA family states about itself: its units, and what a netlist takes of them."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Callable, Mapping

UNITS = ("lut", "ff", "bram", "dsp")
"""Names of the counted resources, in the order of every table."""
SITE_UNITS = ("sites", "carry")
"""Besides, of the 7 series: LUT sites and the carry primitives that take four of them."""
SITES_TITLE = "LUT sites (CARRY4 takes four)"


@dataclasses.dataclass(frozen=True)
class Budget:
    """What a device has, in its family's units: LUTs, flip-flops, block memories, multipliers."""

    lut: int
    ff: int
    bram: int
    dsp: int


@dataclasses.dataclass(frozen=True)
class Resources:
    """What a synthesized design takes, in its family's units.

    Attributes
    ----------
    lut : int
        LUTs as logic, carry chains, distributed memory and shift registers.
    ff : int
        Flip-flops and latches.
    bram, dsp : float
        Block memories and multiplier blocks; halves where a unit can be shared by two.
    detail : dict of primitive to count
    sites, carry : int or None
        LUT sites and CARRY4 (see :mod:`platforms.families.sites`), of the 7 series.
    """

    lut: int
    ff: int
    bram: float
    dsp: float
    detail: dict[str, int]
    sites: int | None = None
    carry: int | None = None

    def as_dict(self) -> dict[str, float]:
        """The four counts by the names of :class:`Budget`, and sites and carries if it has them."""
        more = [name for name in SITE_UNITS if getattr(self, name) is not None]
        return {name: getattr(self, name) for name in (*UNITS, *more)}

    def exceeding(self, budget: Budget) -> list[tuple[str, float, int]]:
        """(resource, used, available) of each resource of which the device has too few."""
        counts = [(name, getattr(self, name), getattr(budget, name)) for name in UNITS]
        return [count for count in counts if count[1] > count[2]]


def uses_of_nets(module: dict) -> collections.Counter:
    """Number of inputs, of cells and of the module's surroundings, at every net of a netlist.

    ``module`` as in yosys' JSON: nets are numbers, constants "0", "1", "x" and "z".
    """
    uses = collections.Counter()
    for cell in module["cells"].values():
        for port, nets in cell["connections"].items():
            if cell["port_directions"][port] != "output":
                uses.update(nets)
    for port in module["ports"].values():
        if port["direction"] != "input":
            uses.update(port["bits"])
    return uses


def _total(costs: Mapping[str, float], numbers: Mapping[str, int]) -> float:
    return sum(cost * numbers.get(name, 0) for name, cost in costs.items())


def _nothing_more(netlist: dict) -> dict[str, int]:
    return {}


def _as_it_is(netlist: str) -> str:
    return netlist


def _unlimited(device: str) -> float | None:
    return None


@dataclasses.dataclass(frozen=True, eq=False)
class Family:
    """A family of FPGAs: how it is synthesized for, and what its primitives cost.

    Attributes
    ----------
    name, title : str
        In data files and options; in tables.
    dsp : str
        Multiplier family of :class:`gateware.core.core.Core`.
    synthesis : str
        Command of yosys that maps the module ``top``, flattened, to the family's primitives.
    lut_unit, bram_unit, dsp_unit : str
        What one unit is, for people: "LUT6", "36 Kb", "DSP48E1".
    bram_shapes : tuple of (depth, width)
        Shapes, with one write and one read port, of the smallest block memory that can be had by
        itself.
    bram_piece : float
        Units that such a memory takes.
    luts, flip_flops, brams, dsps : mapping of primitive to units
    free : frozenset of str
        Primitives that take none of the four.
    packing : function of a netlist (yosys' JSON) to a dict of primitive to count
        Primitives that place and route will add to the netlist.
    sites : mapping of primitive to LUT sites
        What of the LUTs' places it takes, where that is more than its LUTs; empty if not.
    placed : mapping of resource to (mapping of nextpnr's site type to units)
    carry : str or None
        Primitive of carry chains, if its number is limited by a toolchain and so predicted.
    unplaceable : tuple of str
        Cells of yosys' that the family's nextpnr would refuse: they are not in the netlist.
    placeable : function of a netlist (text of yosys' JSON) to the one that is placed
        Of the same circuit; what it adds is not in the synthesized counts.
    multiplier_mhz : function of a device's name to the highest clock of a multiplier, or None
        Of a path inside the block that place and route does not time.
    """

    name: str
    title: str
    dsp: str
    synthesis: str
    lut_unit: str
    bram_unit: str
    dsp_unit: str
    bram_shapes: tuple[tuple[int, int], ...]
    bram_piece: float
    luts: Mapping[str, int]
    flip_flops: Mapping[str, int]
    brams: Mapping[str, float]
    dsps: Mapping[str, float]
    free: frozenset[str]
    placed: Mapping[str, Mapping[str, float]]
    packing: Callable[[dict], dict[str, int]] = _nothing_more
    carry: str | None = None
    sites: Mapping[str, int] = dataclasses.field(default_factory=dict)
    unplaceable: tuple[str, ...] = ()
    placeable: Callable[[str], str] = _as_it_is
    multiplier_mhz: Callable[[str], float | None] = _unlimited

    def count(self, cells: Mapping[str, int]) -> Resources:
        """Resources of a netlist, given as primitives and their numbers.

        Raises ValueError naming the primitives whose cost is not known here.
        """
        costs = (self.luts, self.flip_flops, self.brams, self.dsps)
        known = self.free.union(*costs, self.sites)
        unknown = sorted(set(cells) - known)
        if unknown:
            raise ValueError(
                f"no cost known for {', '.join(unknown)}; add it to platforms.{self.name}"
            )
        more = {}
        if self.sites:
            more = {"sites": _total(self.sites, cells), "carry": cells.get(self.carry, 0)}
        return Resources(*(_total(table, cells) for table in costs), detail=dict(cells), **more)

    def count_placed(self, sites: Mapping[str, int]) -> dict[str, float]:
        """The four counts, given nextpnr's utilization: site types and the number used."""
        return {name: _total(self.placed[name], sites) for name in UNITS}

    def unit(self, resource: str) -> str:
        """One of :data:`UNITS` or :data:`SITE_UNITS` for people, with its unit: "LUT6"."""
        return {
            "lut": self.lut_unit,
            "ff": "flip-flops",
            "bram": f"block memories ({self.bram_unit})",
            "dsp": self.dsp_unit,
            "sites": SITES_TITLE,
            "carry": self.carry,
        }[resource]
