"""Combinational graph of a mapped netlist, with delays."""

from __future__ import annotations

import collections
import re
from collections.abc import Iterable

from .blocks import add_dsp48e1, add_memory, add_mult18x18d
from .cells import (
    ASYNCHRONOUS,
    BUFFERS,
    CARRIES,
    CASCADE_PIN,
    CLOCKED,
    ECP5,
    ENABLE_PIN,
    IGNORED,
    KNOWN,
    LUT_MEMORY_READS,
    LUTS,
    MEMORIES,
    MUX_SELECT,
    PAD_BUFFERS,
    REGISTERS,
    RESET_PIN,
    SCALAR_BUS,
    SHIFT_REGISTERS,
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
        for name, cell in self.cells.items():
            self._add_cell(name, cell)

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

    def _add_cell(self, name: str, cell: dict):
        kind = cell["type"]
        if kind in LUTS:
            self._add_logic(cell, 1, self.delays.lut)
        elif kind in MUX_SELECT:
            self._add_mux(cell, MUX_SELECT[kind])
        elif kind in BUFFERS:
            self._add_logic(cell, 0, 0.0, local=True)
        elif kind == "CARRY4":
            self._add_carry4(name, cell["connections"])
        elif kind == "CCU2C":
            self._add_ccu2c(name, cell["connections"])
        elif kind in REGISTERS:
            self._add_register(cell)
        elif kind in SHIFT_REGISTERS:
            self._add_shift_register(cell)
        elif kind in LUT_MEMORY_READS:
            self._add_lut_memory(name, cell)
        elif kind in MEMORIES:
            add_memory(self, name, cell)
        elif kind == "DSP48E1":
            add_dsp48e1(self, name, cell)
        elif kind == "MULT18X18D":
            add_mult18x18d(self, name, cell)
        else:
            self._add_boundary(name, cell)

    def _add_logic(self, cell: dict, stages: int, ns: float, *, local=False):
        for _, _, output in self.pins(cell, "output"):
            for _, _, bit in self.pins(cell, "input"):
                self.arc(bit, output, stages, ns, local=local)

    def _add_mux(self, cell: dict, select: str):
        for _, _, output in self.pins(cell, "output"):
            for port, _, bit in self.pins(cell, "input"):
                self.arc(bit, output, 0, self.delays.wide_mux, local=port != select)

    def _carry_in(self, bit, node):
        if not isinstance(bit, str):
            chained = self.driver_type(bit) in CARRIES
            self.arc(
                bit,
                node,
                0 if chained else 1,
                0.0 if chained else self.delays.carry_entry,
                local=chained,
            )

    def _add_carry4(self, name: str, pins: dict):
        delays, before = self.delays, (name, "in")
        self._carry_in((pins.get("CI") or "0")[0], before)
        start = (pins.get("CYINIT") or "0")[0]
        self.arc(start, before, 1, delays.carry_entry)
        for index, select in enumerate(pins["S"]):
            after = name, index
            beside = self.driver_type(select) in LUTS and self.data_pins[select] == 1
            self.arc(select, after, 1, delays.carry_entry, local=beside)
            self.arc(pins["DI"][index], after, 1, delays.carry_entry)
            self.arc(before, after, 0, delays.carry_bit)
            if "O" in pins and not isinstance(pins["O"][index], str):
                output = pins["O"][index]
                self.arc(select, output, 1, delays.carry_exit, local=beside)
                self.arc(before, output, 0, delays.carry_exit)
            if "CO" in pins and not isinstance(pins["CO"][index], str):
                self.arc(after, pins["CO"][index], 0, 0.0)
            before = after

    def _add_ccu2c(self, name: str, pins: dict):
        delays, before = self.delays, (name, "in")
        self._carry_in((pins.get("CIN") or "0")[0], before)
        for index in "01":
            after = name, index
            inputs = [bit for port in "ABCD" for bit in pins.get(port + index, ())]
            self.arc(before, after, 0, delays.carry_bit)
            for bit in inputs:
                self.arc(bit, after, 1, delays.carry_entry)
            for output in pins.get(f"S{index}", ()):
                self.arc(before, output, 0, delays.carry_exit)
                for bit in inputs:
                    self.arc(bit, output, 1, delays.lut)
            before = after
        for output in pins.get("COUT", ()):
            self.arc(before, output, 0, 0.0)

    def _add_register(self, cell: dict):
        pins = cell["connections"]
        output = pins["Q"][0]
        self.launch(output, self.delays.register, 0, self.names(output))
        control = {"clock": None, "reset": None, "enable": None}
        for port, _, bit in self.pins(cell, "input"):
            if is_clock(cell, port):
                control["clock"] = bit
                continue
            if RESET_PIN.fullmatch(port):
                control["reset"] = bit, port in ASYNCHRONOUS
            elif ENABLE_PIN.fullmatch(port):
                control["enable"] = bit
            data = port in ("D", "DI")
            logic = (*LUTS, *CARRIES, *MUX_SELECT)
            local = data and self.data_pins[bit] == 1 and self.driver_type(bit) in logic
            setup = self.delays.register_setup if data else self.delays.control_setup
            self.end_at_net(output, bit, setup, "" if data else port, local=local)
        self.control_sets.add(tuple(control.values()))

    def end_at_net(self, named_by, bit, setup: float, pin: str, *, local=False):
        signal, index = self.names.split(named_by)
        self.end(bit, setup, (signal, pin), index, local=local)

    def _add_shift_register(self, cell: dict):
        outputs = [bit for _, _, bit in self.pins(cell, "output")]
        for output in outputs:
            self.launch(output, self.delays.shift_register, 0, self.names(output))
        for port, _, bit in self.pins(cell, "input"):
            if re.fullmatch(r"A\d?", port):
                for output in cell["connections"]["Q"]:
                    self.arc(bit, output, 1, self.delays.lut)
            elif not is_clock(cell, port):
                pin = "" if port == "D" else port
                self.end_at_net(outputs[0], bit, self.delays.control_setup, pin)

    def _add_lut_memory(self, name: str, cell: dict):
        for port, pattern in LUT_MEMORY_READS[cell["type"]].items():
            outputs = [bit for p, _, bit in self.pins(cell, "output") if p == port]
            for output in outputs:
                start = f"{signal_name(name)}.{port} (write)"
                self.launch(output, self.delays.lut_memory, 0, start)
            for address, _, bit in self.pins(cell, "input"):
                if re.fullmatch(pattern, address):
                    for output in outputs:
                        self.arc(bit, output, 1, self.delays.lut)
        reads = [p for o, p in LUT_MEMORY_READS[cell["type"]].items() if o not in ("DOD", "SPO")]
        # the address of a write-only side ends here; a read's only passes through
        self.end_inputs(name, cell, self.delays.control_setup, skip=reads)

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

    def _add_boundary(self, name: str, cell: dict):
        for port, _, bit in self.pins(cell, "output"):
            self.launch(bit, self.delays.register, 0, f"{signal_name(name)}.{port}")
        self.end_inputs(name, cell, self.delays.register_setup)
