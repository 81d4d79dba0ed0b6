"""Yosys' JSON netlists: cells, nets and their names.

A net is an integer, or a constant: "0", "1", "x" or "z". A bit of a wire is ``(wire, index)``;
a net has the names of all wires that it is part of.
"""

from __future__ import annotations

import collections
import dataclasses
import functools
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

Net = int | str
BitName = tuple[str, int]


_CONSTANTS = {"GND": "0", "VLO": "0", "VCC": "1", "VHI": "1"}
"""Primitives that drive a constant."""


@dataclasses.dataclass(frozen=True)
class Cell:
    """An instance: ``parameters`` as the file has them, ``pins`` port name to nets, bit 0 first."""

    name: str
    type: str
    parameters: Mapping[str, str]
    pins: Mapping[str, list[Net]]
    outputs: frozenset[str]

    def integer(self, parameter: str, default: int | None = None) -> int:
        """A numeric parameter; undefined bits count as 0. KeyError if it is neither set nor given.

        A parameter that the netlist does not set has the primitive's default value.
        """
        text = self.parameters.get(parameter)
        if text is None:
            if default is None:
                raise KeyError(f"{self.type} {self.name} has no parameter {parameter}")
            return default
        return parse_bits(text)

    def text(self, parameter: str, default: str) -> str:
        """A parameter that is a string."""
        # a string of zeros and ones has a blank behind it, to tell it from a number
        return self.parameters.get(parameter, default).rstrip(" ")


def parse_bits(text: str) -> int:
    """The number that a string of 0, 1, x and z stands for; x and z count as 0."""
    return int(text.translate(_DEFINED), 2) if text else 0


_DEFINED = str.maketrans("xz", "00")


class Module:
    """One module of a netlist."""

    def __init__(self, content: dict):
        self.content = content
        self.cells = {
            name: Cell(
                name,
                cell["type"],
                cell["parameters"],
                cell["connections"],
                frozenset(
                    port for port, way in cell.get("port_directions", {}).items() if way == "output"
                ),
            )
            for name, cell in content["cells"].items()
        }

    @functools.cached_property
    def net(self) -> dict[BitName, Net]:
        """Net of every bit of every wire."""
        return {
            (name, index): net
            for name, wire in self.content["netnames"].items()
            for index, net in enumerate(wire["bits"])
        }

    @functools.cached_property
    def names(self) -> dict[Net, set[BitName]]:
        """All names of every net."""
        found = collections.defaultdict(set)
        for bit, net in self.net.items():
            found[net].add(bit)
        return dict(found)

    @functools.cached_property
    def driver(self) -> dict[Net, tuple[Cell, str, int]]:
        """(cell, output port, bit) that drives a net."""
        return {
            net: (cell, port, index)
            for cell in self.cells.values()
            for port in cell.outputs
            for index, net in enumerate(cell.pins.get(port, ()))
        }

    def constant(self, net: Net) -> Net:
        """The constant that a net has from a primitive, or else the net itself."""
        driver = self.driver.get(net)
        return _CONSTANTS.get(driver[0].type, net) if driver else net

    def of_type(self, types: Iterable[str]) -> dict[str, Cell]:
        """Cells whose type is one of ``types``."""
        types = frozenset(types)
        return {name: cell for name, cell in self.cells.items() if cell.type in types}

    def as_json(self, name: str) -> str:
        """A netlist that has this module only."""
        return json.dumps({"modules": {name: self.content}})

    def with_parameter(self, cell: str, parameter: str, value: str) -> Module:
        """The same module but for one parameter of one cell."""
        changed = dict(self.content["cells"][cell])
        changed["parameters"] = {**changed["parameters"], parameter: value}
        cells = {**self.content["cells"], cell: changed}
        return Module({**self.content, "cells": cells})


def read_module(path: Path, name: str) -> Module:
    """The module called ``name`` of a netlist file."""
    return Module(json.loads(Path(path).read_text(encoding="utf-8"))["modules"][name])
