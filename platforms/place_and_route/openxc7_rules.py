"""Does a netlist keep to what nextpnr-xilinx can place, route and write correctly?

``gateformer openxc7-rules build/zybo/top.json --board zybo``, after ``gateformer build zybo
--toolchain openxc7``, prints "0 violations", or
each one with its cell. What is behind a rule, and where it was read, is in docs/openxc7.md.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from gateformer.model.support.cli import ArgumentParser, run
from gateformer.model.support.counted import counted
from gateformer.model.support.errors import UserError

from ..boards.board import Board, board
from ..families.family import Budget
from ..families.toolchain_limits import LIMITED, device_total, toolchain_limits
from ..families.xc7 import XC7
from ..support.progress import output_console
from ..synthesis.synthesis import TOP
from .openxc7_structure import (
    CASCADES,
    by_multiplier,
    carries_fed_out,
    carry_chains,
    control_sets,
    lut_sites,
    multiplier_tiles,
)

LIMITS = {"DSP48E1": 0.5, "CARRY4": 0.36, "LUT sites": 0.65}
"""Shares of the device: half of the multipliers and of the carries are never reached, and of the
latter and of the LUT sites placement and routing need some to be left."""
MADE_BY = "gateformer build {} --toolchain openxc7"
"""What writes a netlist; other toolchains of the 7 series do without one."""
REMARKS = (
    "the clock is assumed: nothing was placed and routed with openXC7 by us; where its "
    "report misses the clock, nextpnr-xilinx ends with status 1 before it writes frames, "
    "and there is no bitstream (choose a lower one by --clock)",
    "nextpnr-xilinx times neither multipliers, block memories, the processor nor the ports "
    "of LUT memories, and takes 0.1 ns for a flip-flop: its maximum frequency covers "
    "flip-flop to LUT to flip-flop only",
)
"""What a report has to say of builds with openXC7."""
CONTROLS = {"INMODE": 5, "ALUMODE": 4, "OPMODE": 7}
"""Inputs of a DSP48E1, with their widths, whose constants may not reach the block."""
LONGEST_CHAIN = 25
"""CARRY4 one above the other between two rows of the device that have none."""
PARITY_LOST = (1, 9)
"""Widths of a RAMB36E1's port that versions before 26 July 2026 configure as the next smaller."""
PACKED = {
    *(f"LUT{n}" for n in range(1, 7)),
    *(name + edge for name in ("FDRE", "FDSE", "FDCE", "FDPE") for edge in ("", "_1")),
    *("CARRY4", "MUXF7", "MUXF8", "INV", "VCC", "GND", "SRL16E", "SRLC32E"),
    *("RAM32M", "RAM64M", "RAM32X1D", "RAM64X1D", "RAM128X1D", "RAMB18E1", "RAMB36E1"),
    *("DSP48E1", "BUFG", "BUFGCTRL", "IBUF", "OBUF", "OBUFT", "IOBUF"),
    *("MMCME2_BASE", "MMCME2_ADV", "PLLE2_BASE", "PLLE2_ADV", "PS7"),
}
"""Primitives that nextpnr-xilinx packs, of those that these designs may have."""


@dataclasses.dataclass(frozen=True)
class RulesReport:
    """What :func:`check` found.

    Attributes
    ----------
    violations : tuple of str
        One line each, with the cell's name.
    used, usable, available : dict of resource to number
        Of the resources that the toolchain limits, by the names of its limits: taken by the
        netlist, within the toolchain's limit, on the device. Of DSP48E1 those that can be
        reached: a cascade takes one for two.
    longest_chain : int
        CARRY4 of the longest carry chain.
    control_sets : int
        Distinct (clock, enable, reset, kind of reset) of the flip-flops.
    resets : int
        Distinct nets that reset flip-flops.
    """

    violations: tuple[str, ...]
    used: dict[str, int]
    usable: dict[str, int]
    available: dict[str, int]
    longest_chain: int
    control_sets: int
    resets: int

    def summary(self) -> str:
        """One line of the counts."""
        counts = [
            f"{self.used[name]:,} of {self.usable[name]:,} usable {name} (device: {total:,})"
            for name, total in self.available.items()
        ]
        return (
            f"{', '.join(counts)}; longest carry chain {self.longest_chain} of {LONGEST_CHAIN} "
            f"CARRY4; {self.control_sets} control sets, {self.resets} resets"
        )


def check(netlist: dict, budget: Budget, limits: Mapping[str, float]) -> RulesReport:
    """Hold yosys' JSON of a module ``top`` for the 7 series against the rules.

    ``limits`` as :attr:`platforms.place_and_route.toolchain.Toolchain.limits`. Raises ValueError
    without a module ``top``.
    """
    if TOP not in netlist.get("modules", {}):
        raise ValueError(f"no module {TOP} in the netlist")
    module = netlist["modules"][TOP]
    cells = module["cells"]
    drivers = {
        net: (name, port)
        for name, cell in cells.items()
        for port, nets in cell["connections"].items()
        if cell["port_directions"][port] == "output"
        for net in nets
    }
    inputs = {
        net for p in module["ports"].values() if p["direction"] != "output" for net in p["bits"]
    }
    chains = carry_chains(cells, drivers)
    counts = {
        "DSP48E1": multiplier_tiles(cells, drivers),
        "CARRY4": sum(map(len, chains)) + carries_fed_out(module),
        "LUT sites": lut_sites(module),
    }
    most = toolchain_limits(budget, limits)
    usable = {name: int(most[LIMITED[name]]) for name in limits}
    violations = [
        line
        for name, cell in cells.items()
        for line in _of_cell(name, cell, cells, drivers, inputs)
    ]
    violations += [
        f"{chain[0]}: carry chain of {len(chain)} CARRY4, not {LONGEST_CHAIN} or fewer"
        for chain in chains
        if len(chain) > LONGEST_CHAIN
    ]
    violations += [
        f"{counts[name]:,} {name}, not {usable[name]:,} or fewer"
        for name in usable
        if counts[name] > usable[name]
    ]
    sets = control_sets(cells)
    return RulesReport(
        tuple(violations),
        {name: counts[name] for name in usable},
        usable,
        {name: int(device_total(budget, LIMITED[name])) for name in usable},
        max(map(len, chains), default=0),
        len(sets),
        len({reset for *_, reset, _ in sets if not isinstance(reset, str)}),
    )


def _of_cell(name: str, cell: dict, cells: dict, drivers: dict, inputs: set) -> Iterator[str]:
    """Violations of one cell."""
    kind, pins = cell["type"], cell["connections"]
    if kind not in PACKED:
        yield f"{name}: nextpnr-xilinx does not pack {kind}"
    if kind == "DSP48E1":
        for port in CASCADES:
            if any(isinstance(net, str) for net in pins.get(port, [])):
                yield f"{name}: cascade input {port} tied to a constant"
            elif any(not by_multiplier(net, cells, drivers) for net in pins.get(port, [])):
                yield f"{name}: cascade input {port} not driven by a DSP48E1"
        for port, width in CONTROLS.items():
            nets = pins.get(port, [])
            driven = [net for net in nets if net in drivers or net in inputs]
            if len(driven) < width:
                yield f"{name}: {width - len(driven)} constant or open bits of {port}"
    if kind in ("RAMB18E1", "RAMB36E1"):
        yield from _of_memory(name, cell)
    if kind.startswith("MMCME2") or kind.startswith("PLLE2"):
        for port in ("RST", "PWRDWN"):
            if any(isinstance(net, str) for net in pins.get(port, [])):
                yield f"{name}: {port} tied to a constant"


def _of_memory(name: str, cell: dict) -> Iterator[str]:
    parameters = cell["parameters"]
    for side in "AB":
        if any(not isinstance(n, str) for n in cell["connections"].get(f"CASCADEIN{side}", [])):
            yield f"{name}: cascade input CASCADEIN{side} in use"
        extension = parameters.get(f"RAM_EXTENSION_{side}", "NONE").strip()
        if extension != "NONE":
            yield f"{name}: RAM_EXTENSION_{side}={extension}"
        if cell["type"] == "RAMB36E1":
            for way in ("READ", "WRITE"):
                width = int(parameters.get(f"{way}_WIDTH_{side}", "0"), 2)
                if width in PARITY_LOST:
                    yield f"{name}: {way}_WIDTH_{side}={width}"


def check_board(netlist: dict, target: Board) -> RulesReport:
    """:func:`check` with a board's device and the limits that it has for its toolchain."""
    return check(netlist, target.budget, target.limits)


def main() -> int:
    """Check one netlist; status 1 if it breaks a rule."""
    parser = ArgumentParser(
        prog="gateformer openxc7-rules",
        description=__doc__.split("\n\n")[0],
    )
    parser.add_argument(
        "netlist",
        help=f"yosys' JSON, {TOP}.json in the directory of {MADE_BY.format('BOARD')}",
    )
    parser.add_argument("--board", default="zybo", help="whose device it is for")
    arguments = parser.parse_args()
    target = board(arguments.board, synthesized=True)
    if target.family.name != XC7.name:
        raise UserError(f"{target.name} has no device of the 7 series")
    advice = f"make it with {MADE_BY.format(target.name)}"
    try:
        netlist = json.loads(Path(arguments.netlist).read_text(encoding="utf-8"))
        report = check(netlist, target.budget, LIMITS)
    except FileNotFoundError:
        raise UserError(f"there is no {arguments.netlist}; {advice}") from None
    except OSError as error:
        raise UserError(f"cannot read {arguments.netlist}: {error.strerror}; {advice}") from None
    except (UnicodeDecodeError, json.JSONDecodeError):
        raise UserError(f"{arguments.netlist} is no JSON of yosys; {advice}") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UserError(
            f"{arguments.netlist} is not a netlist of yosys with a module {TOP}; {advice}"
        ) from None
    out = output_console()
    out.print(report.summary(), soft_wrap=True, highlight=False)
    for line in report.violations:
        out.print(line, soft_wrap=True, markup=False, highlight=False)
    out.print(counted(len(report.violations), "violation"), highlight=False)
    return 1 if report.violations else 0


if __name__ == "__main__":
    run(main)
