"""Combinational graph of a mapped netlist, with delays: nets, pins, and how it is added to."""

from __future__ import annotations

import collections
import re
from collections.abc import Iterable

from .cells import (
    CASCADE_PIN,
    CLOCKED,
    ECP5,
    ENABLE_PIN,
    IGNORED,
    KNOWN,
    PAD_BUFFERS,
    RESET_PIN,
    SCALAR_BUS,
    XC7,
    is_clock,
)
from .names import Names, signal_name


class Graph:
    """Combinational graph: nodes are net bits (int) and points inside cells (tuple).

    A weight is (stages, ns, elements). ``launches``: node to (weight, start name); ``arcs``: node
    to its predecessors as (node, weight); ``ends``: (node, weight, (signal, pin), index).
    """

    def __init__(self, module: dict):
        self.cells = {n: c for n, c in module["cells"].items() if c["type"] not in IGNORED}
        self._check_types()
        self.names = Names(module["netnames"])
        ecp5 = any(c["type"].startswith(("TRELLIS", "CCU2C")) for c in self.cells.values())
        self.delays = ECP5 if ecp5 or self._has("LUT4", "Z") else XC7
        self.launches, self.ends, self.driver, self.users = {}, [], {}, {}
        self.arcs, self.sinks = collections.defaultdict(list), collections.defaultdict(set)
        self.outputs_without_register = collections.defaultdict(list)
        self.data_pins, self.reset_pins = collections.Counter(), collections.Counter()
        self.enable_pins, self.control_sets = collections.Counter(), set()
        for cell in self.cells.values():
            if cell["type"] in PAD_BUFFERS:
                inside, pad = PAD_BUFFERS[cell["type"]]
                self.names.alias(cell["connections"][inside][0], cell["connections"][pad][0])
        for name, cell in self.cells.items():
            self._index(name, cell)
        for name, port in module["ports"].items():
            self._add_port(name, port)

    def _check_types(self):
        unknown = sorted({cell["type"] for cell in self.cells.values()} - KNOWN)
        if unknown:
            raise ValueError(
                f"no timing known for {', '.join(unknown)}; "
                "flatten the design or add it to gateformer path-depth"
            )

    def _has(self, primitive: str, port: str) -> bool:
        return any(c["type"] == primitive and port in c["connections"] for c in self.cells.values())

    # pins

    def pins(self, cell: dict, direction: str) -> Iterable[tuple[str, int, int]]:
        """(port, index, bit) of every connected pin that is not constant."""
        for port, bits in cell["connections"].items():
            if cell["port_directions"][port] == direction:
                for index, bit in enumerate(bits):
                    if not isinstance(bit, str):
                        yield port, index, bit

    def _index(self, name: str, cell: dict):
        for _, _, bit in self.pins(cell, "output"):
            self.driver[bit] = name
        clocked = cell["type"] in CLOCKED
        user = (
            self.names.split(cell["connections"]["Q"][0])[0] if "Q" in cell["connections"] else name
        )
        for port, _, bit in self.pins(cell, "input"):
            self.users.setdefault(bit, user)
            self.sinks[bit].add(f"{cell['type']}.{port}")
            if clocked and RESET_PIN.fullmatch(port):
                self.reset_pins[bit] += 1
            elif clocked and ENABLE_PIN.fullmatch(port):
                self.enable_pins[bit] += 1
            elif not is_clock(cell, port):
                self.data_pins[bit] += 1

    def driver_type(self, bit) -> str | None:
        return self.cells[self.driver[bit]]["type"] if bit in self.driver else None

    def _route(self, bit) -> float:
        pins = self.data_pins[bit] + self.reset_pins[bit] + self.enable_pins[bit]
        return self.delays.route(pins)

    def describe(self, bit) -> str:
        """The net's name, or if only yosys named it, what it goes to."""
        name = self.names(bit)
        return f"(unnamed, to {self.users[bit]})" if name.startswith("$") else name

    # construction, also for the blocks of :mod:`platforms.synthesis.paths.blocks`

    def launch(self, bit, ns: float, elements: int, start: str):
        """A path begins at ``bit``, ``ns`` after the clock."""
        self.launches[bit] = (0, ns, elements), start

    def arc(self, source, node, stages: int, ns: float, *, elements=0, local=False):
        """``local``: the net into the arc stays in its slice or block."""
        if not isinstance(source, str):
            route = 0.0 if local or isinstance(source, tuple) else self._route(source)
            self.arcs[node].append((source, (stages, ns + route, elements)))

    def end(self, bit, setup: float, name: tuple[str, str], index: int | None, *, local=False):
        """A path ends at the pin ``name`` behind ``bit``."""
        weight = (0, setup + (0.0 if local else self._route(bit)), 0)
        self.ends.append((bit, weight, name, index))

    def _add_port(self, name: str, port: dict):
        single = len(port["bits"]) == 1
        for index, bit in enumerate(port["bits"]):
            if isinstance(bit, str):
                continue
            suffix = "" if single else f"[{index}]"
            if port["direction"] != "output":
                self.launch(bit, self.delays.register, 0, f"input {name}{suffix}")
            if port["direction"] != "input":
                signal = f"output {name}", ""
                self.end(bit, self.delays.register_setup, signal, None if single else index)

    def end_at_net(self, named_by, bit, setup: float, pin: str, *, local=False):
        signal, index = self.names.split(named_by)
        self.end(bit, setup, (signal, pin), index, local=local)

    def end_inputs(self, name: str, cell: dict, setup: float, skip: Iterable[str] = ()):
        """Paths end at all inputs but clocks and those that match ``skip``."""
        for port, index, bit in self.pins(cell, "input"):
            if not is_clock(cell, port) and not any(
                re.fullmatch(pattern, port) for pattern in skip
            ):
                self.end_at_cell(name, cell, port, index, bit, setup)

    def end_at_cell(self, name, cell, port, index, bit, setup):
        """A path ends at a pin of the cell ``name``."""
        if cell["type"] in SCALAR_BUS and port[-1].isdigit():
            match = re.fullmatch(r"(.*?)(\d+)", port)
            port, index = match[1], int(match[2])
        elif len(cell["connections"][port]) == 1:
            index = None
        local = bool(CASCADE_PIN.fullmatch(port))
        self.end(bit, setup, (signal_name(name), port), index, local=local)
