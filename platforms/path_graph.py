"""Combinational graph of a mapped netlist, and its longest paths."""

from __future__ import annotations

import collections
import re
from collections.abc import Iterable

from .path_cells import (
    ASYNCHRONOUS,
    AUTONAME,
    BUFFERS,
    CARRIES,
    CASCADE_PIN,
    CLOCK_PIN,
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
    REGISTER_CLOCK_PIN,
    REGISTERS,
    RESET_PIN,
    SCALAR_BUS,
    SHIFT_REGISTERS,
    XC7,
)


class CombinationalLoopError(ValueError):
    """The netlist has a loop without a register; the message names its nets."""


def signal_name(name: str) -> str:
    """``name`` up to what yosys appended to it, marked by ``~``."""
    match = AUTONAME.search(name)
    return name[: match.start()] + "~" if match else name


def is_clock(cell: dict, port: str) -> bool:
    kind = cell["type"]
    pattern = REGISTER_CLOCK_PIN if kind in REGISTERS else CLOCK_PIN
    return kind in CLOCKED and pattern.fullmatch(port) is not None


def parameter(cell: dict, name: str, default):
    value = cell.get("parameters", {}).get(name, default)
    if isinstance(value, str) and isinstance(default, int):
        return int(value, 2)
    return value


class Names:
    """The most telling name of every net bit: public, not made by yosys, short."""

    def __init__(self, netnames: dict):
        self._best = {}
        for name, net in netnames.items():
            base, bits = signal_name(name), net["bits"]
            rank = (net.get("hide_name", 0), base != name, name.startswith("$"), len(name), name)
            for index, bit in enumerate(bits):
                if bit not in self._best or rank < self._best[bit][0]:
                    offset = index + net.get("offset", 0) if len(bits) > 1 else None
                    self._best[bit] = rank, base, offset

    def alias(self, inside, pad):
        """Name what lies inside a pad's buffer like the pad, unless it has a name."""
        if self(inside).startswith("$") and pad in self._best:
            self._best[inside] = self._best[pad]

    def split(self, bit) -> tuple[str, int | None]:
        """Signal and bit index (None: the signal has one bit)."""
        return self._best[bit][1:] if bit in self._best else (f"net {bit}", None)

    def __call__(self, bit) -> str:
        base, index = self.split(bit)
        return base if index is None else f"{base}[{index}]"


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
                "flatten the design or add it to platforms.path_depth"
            )

    def _has(self, primitive: str, port: str) -> bool:
        return any(c["type"] == primitive and port in c["connections"] for c in self.cells.values())

    # pins

    def _pins(self, cell: dict, direction: str) -> Iterable[tuple[str, int, int]]:
        """(port, index, bit) of every connected pin that is not constant."""
        for port, bits in cell["connections"].items():
            if cell["port_directions"][port] == direction:
                for index, bit in enumerate(bits):
                    if not isinstance(bit, str):
                        yield port, index, bit

    def _index(self, name: str, cell: dict):
        for _, _, bit in self._pins(cell, "output"):
            self.driver[bit] = name
        clocked = cell["type"] in CLOCKED
        user = (
            self.names.split(cell["connections"]["Q"][0])[0] if "Q" in cell["connections"] else name
        )
        for port, _, bit in self._pins(cell, "input"):
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

    # construction

    def _launch(self, bit, ns: float, elements: int, start: str):
        self.launches[bit] = (0, ns, elements), start

    def _arc(self, source, node, stages: int, ns: float, *, elements=0, local=False):
        """``local``: the net into the arc stays in its slice or block."""
        if not isinstance(source, str):
            route = 0.0 if local or isinstance(source, tuple) else self._route(source)
            self.arcs[node].append((source, (stages, ns + route, elements)))

    def _end(self, bit, setup: float, name: tuple[str, str], index: int | None, *, local=False):
        weight = (0, setup + (0.0 if local else self._route(bit)), 0)
        self.ends.append((bit, weight, name, index))

    def _add_port(self, name: str, port: dict):
        single = len(port["bits"]) == 1
        for index, bit in enumerate(port["bits"]):
            if isinstance(bit, str):
                continue
            suffix = "" if single else f"[{index}]"
            if port["direction"] != "output":
                self._launch(bit, self.delays.register, 0, f"input {name}{suffix}")
            if port["direction"] != "input":
                signal = f"output {name}", ""
                self._end(bit, self.delays.register_setup, signal, None if single else index)

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
            self._add_memory(name, cell)
        elif kind == "DSP48E1":
            self._add_dsp48e1(name, cell)
        elif kind == "MULT18X18D":
            self._add_mult18x18d(name, cell)
        else:
            self._add_boundary(name, cell)

    def _add_logic(self, cell: dict, stages: int, ns: float, *, local=False):
        for _, _, output in self._pins(cell, "output"):
            for _, _, bit in self._pins(cell, "input"):
                self._arc(bit, output, stages, ns, local=local)

    def _add_mux(self, cell: dict, select: str):
        for _, _, output in self._pins(cell, "output"):
            for port, _, bit in self._pins(cell, "input"):
                self._arc(bit, output, 0, self.delays.wide_mux, local=port != select)

    def _carry_in(self, bit, node):
        if not isinstance(bit, str):
            chained = self.driver_type(bit) in CARRIES
            self._arc(
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
        self._arc(start, before, 1, delays.carry_entry)
        for index, select in enumerate(pins["S"]):
            after = name, index
            beside = self.driver_type(select) in LUTS and self.data_pins[select] == 1
            self._arc(select, after, 1, delays.carry_entry, local=beside)
            self._arc(pins["DI"][index], after, 1, delays.carry_entry)
            self._arc(before, after, 0, delays.carry_bit)
            if "O" in pins and not isinstance(pins["O"][index], str):
                output = pins["O"][index]
                self._arc(select, output, 1, delays.carry_exit, local=beside)
                self._arc(before, output, 0, delays.carry_exit)
            if "CO" in pins and not isinstance(pins["CO"][index], str):
                self._arc(after, pins["CO"][index], 0, 0.0)
            before = after

    def _add_ccu2c(self, name: str, pins: dict):
        delays, before = self.delays, (name, "in")
        self._carry_in((pins.get("CIN") or "0")[0], before)
        for index in "01":
            after = name, index
            inputs = [bit for port in "ABCD" for bit in pins.get(port + index, ())]
            self._arc(before, after, 0, delays.carry_bit)
            for bit in inputs:
                self._arc(bit, after, 1, delays.carry_entry)
            for output in pins.get(f"S{index}", ()):
                self._arc(before, output, 0, delays.carry_exit)
                for bit in inputs:
                    self._arc(bit, output, 1, delays.lut)
            before = after
        for output in pins.get("COUT", ()):
            self._arc(before, output, 0, 0.0)

    def _add_register(self, cell: dict):
        pins = cell["connections"]
        output = pins["Q"][0]
        self._launch(output, self.delays.register, 0, self.names(output))
        control = {"clock": None, "reset": None, "enable": None}
        for port, _, bit in self._pins(cell, "input"):
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
            self._end_at_net(output, bit, setup, "" if data else port, local=local)
        self.control_sets.add(tuple(control.values()))

    def _end_at_net(self, named_by, bit, setup: float, pin: str, *, local=False):
        signal, index = self.names.split(named_by)
        self._end(bit, setup, (signal, pin), index, local=local)

    def _add_shift_register(self, cell: dict):
        outputs = [bit for _, _, bit in self._pins(cell, "output")]
        for output in outputs:
            self._launch(output, self.delays.shift_register, 0, self.names(output))
        for port, _, bit in self._pins(cell, "input"):
            if re.fullmatch(r"A\d?", port):
                for output in cell["connections"]["Q"]:
                    self._arc(bit, output, 1, self.delays.lut)
            elif not is_clock(cell, port):
                pin = "" if port == "D" else port
                self._end_at_net(outputs[0], bit, self.delays.control_setup, pin)

    def _add_lut_memory(self, name: str, cell: dict):
        for port, pattern in LUT_MEMORY_READS[cell["type"]].items():
            outputs = [bit for p, _, bit in self._pins(cell, "output") if p == port]
            for output in outputs:
                start = f"{signal_name(name)}.{port} (write)"
                self._launch(output, self.delays.lut_memory, 0, start)
            for address, _, bit in self._pins(cell, "input"):
                if re.fullmatch(pattern, address):
                    for output in outputs:
                        self._arc(bit, output, 1, self.delays.lut)
        reads = [p for o, p in LUT_MEMORY_READS[cell["type"]].items() if o not in ("DOD", "SPO")]
        # the address of a write-only side ends here; a read's only passes through
        self._end_inputs(name, cell, self.delays.control_setup, skip=reads)

    def _end_inputs(self, name: str, cell: dict, setup: float, skip: Iterable[str] = ()):
        for port, index, bit in self._pins(cell, "input"):
            if not is_clock(cell, port) and not any(
                re.fullmatch(pattern, port) for pattern in skip
            ):
                self._end_at_cell(name, cell, port, index, bit, setup)

    def _end_at_cell(self, name, cell, port, index, bit, setup):
        if cell["type"] in SCALAR_BUS and port[-1].isdigit():
            match = re.fullmatch(r"(.*?)(\d+)", port)
            port, index = match[1], int(match[2])
        elif len(cell["connections"][port]) == 1:
            index = None
        local = bool(CASCADE_PIN.fullmatch(port))
        self._end(bit, setup, (signal_name(name), port), index, local=local)

    def _add_memory(self, name: str, cell: dict):
        delays, trellis = self.delays, cell["type"] == "DP16KD"
        for port, _, bit in self._pins(cell, "output"):
            side = port[2:3] if port.startswith("DO") else ""
            # DOADO, DOPADOP; DOA3 on ECP5
            side = port[3] if side == "P" else side
            if trellis:
                registered = parameter(cell, f"REGMODE_{side}", "NOREG") == "OUTREG"
            else:
                registered = side in ("A", "B") and parameter(cell, f"DO{side}_REG", 0) != 0
            ns = delays.memory_registered if registered else delays.memory
            self._launch(bit, ns, 1, f"{signal_name(name)}.DO{side}")
            if not registered:
                self._unregistered(name, f"DO{side}", cell, bit)
        self._end_inputs(name, cell, delays.memory_setup)

    def _unregistered(self, name: str, port: str, cell: dict, bit):
        if self.data_pins[bit] or self.reset_pins[bit] or self.enable_pins[bit]:
            self.outputs_without_register[name, port, cell["type"]].append(bit)

    def _add_multiplier(self, name, cell, first_register, last_register, outputs):
        """A multiplier by where its registers are.

        ``first_register(port)``: "input", "pipeline", "output" or None, the first register
        behind an input; ``last_register``: the last one before the outputs (None: combinational).
        """
        delays, inside = self.delays, (name, "product")
        setups = {
            "input": delays.multiplier_setup_input,
            "pipeline": delays.multiplier_setup_pipeline,
            "output": delays.multiplier_setup_output,
        }
        for port, index, bit in self._pins(cell, "input"):
            if is_clock(cell, port):
                continue
            first = first_register(port)
            if first is None:
                local = bool(CASCADE_PIN.fullmatch(port))
                through = delays.multiplier_through
                self._arc(bit, inside, 0, through, elements=1, local=local)
            else:
                self._end_at_cell(name, cell, port, index, bit, setups[first])
        launch = {
            "input": delays.multiplier_input,
            "pipeline": delays.multiplier_pipeline,
            "output": delays.multiplier_output,
        }
        for port, _, bit in self._pins(cell, "output"):
            if outputs.fullmatch(port):
                self._arc(inside, bit, 0, 0.0)
                if last_register is not None:
                    self._launch(bit, launch[last_register], 1, f"{signal_name(name)}.P")
                if last_register != "output":
                    self._unregistered(name, "P", cell, bit)
            else:
                self._launch(bit, delays.register, 0, f"{signal_name(name)}.{port}")

    def _add_dsp48e1(self, name: str, cell: dict):
        names = ("A", "B", "C", "D", "AD", "M", "P", "INMODE", "OPMODE", "ALUMODE", "CARRYIN")
        on = {key: parameter(cell, f"{key}REG", 1) != 0 for key in names}
        multiplies = parameter(cell, "USE_MULT", "MULTIPLY") != "NONE"
        product = "pipeline" if multiplies and on["M"] else "output" if on["P"] else None
        sum_ = "output" if on["P"] else None

        def first_register(port):
            if port.startswith(("RST", "CE")):
                return "input"
            port = {"ACIN": "A", "BCIN": "B", "CARRYINSEL": "OPMODE"}.get(port, port)
            if on.get(port):
                return "input"
            if port in ("A", "D", "INMODE") and on["AD"] and self._uses_preadder(cell):
                return "pipeline"  # the pre-adder before its register takes about as long
            return product if port in ("A", "B", "D", "INMODE") else sum_

        used = ["A", "B", "C"]
        inputs = any(
            on[key] for key in used if any(not isinstance(b, str) for b in cell["connections"][key])
        )
        last = sum_ or product or ("input" if inputs else None)
        self._add_multiplier(name, cell, first_register, last, re.compile(r"(?![AB]COUT).*"))

    @staticmethod
    def _uses_preadder(cell: dict) -> bool:
        return parameter(cell, "USE_DPORT", "FALSE") == "TRUE"

    def _add_mult18x18d(self, name: str, cell: dict):
        on = {
            stage: parameter(cell, f"REG_{stage}_CLK", "NONE") != "NONE"
            for stage in ("INPUTA", "INPUTB", "PIPELINE", "OUTPUT")
        }
        behind = "pipeline" if on["PIPELINE"] else "output" if on["OUTPUT"] else None

        def first_register(port):
            if port.startswith(("RST", "CE")):
                return "input"
            side = re.fullmatch(r"(?:SRI|SIGNED)?([AB])\d*", port)
            return "input" if side and on[f"INPUT{side[1]}"] else behind

        inputs = "input" if on["INPUTA"] or on["INPUTB"] else None
        last = "output" if on["OUTPUT"] else behind or inputs
        self._add_multiplier(name, cell, first_register, last, re.compile(r"P\d+"))

    def _add_boundary(self, name: str, cell: dict):
        for port, _, bit in self._pins(cell, "output"):
            self._launch(bit, self.delays.register, 0, f"{signal_name(name)}.{port}")
        self._end_inputs(name, cell, self.delays.register_setup)


def topological(graph: Graph) -> list:
    """Nodes with arcs into them, predecessors first."""
    waiting, users = {}, collections.defaultdict(list)
    for node, arcs in graph.arcs.items():
        sources = [source for source, _ in arcs if source in graph.arcs]
        waiting[node] = len(sources)
        for source in sources:
            users[source].append(node)
    order = [node for node, count in waiting.items() if not count]
    for node in order:
        for user in users[node]:
            waiting[user] -= 1
            if not waiting[user]:
                order.append(user)
    if len(order) < len(waiting):
        raise CombinationalLoopError(_loop_message(graph, {n for n, c in waiting.items() if c}))
    return order


def _loop_message(graph: Graph, stuck: set) -> str:
    seen, node = {}, next(iter(stuck))
    while node not in seen:
        seen[node] = len(seen)
        node = next(source for source, _ in graph.arcs[node] if source in stuck)
    loop = list(seen)[seen[node] :]
    nets = [graph.names(node) for node in reversed(loop) if not isinstance(node, tuple)]
    return f"combinational loop through {', '.join(nets)}"


def arrivals(graph: Graph, order: list, key: tuple[int, int, int]) -> dict:
    """Node to (weight in the order of ``key``, predecessor): the lexicographically largest.

    Adding an arc's weight keeps that order, so one pass finds each node's true maximum.
    """
    a, b, c = key
    arrivals = {n: ((w[a], w[b], w[c]), None) for n, (w, _) in graph.launches.items()}
    for node in order:
        best = arrivals.get(node)
        for source, weight in graph.arcs[node]:
            arrival = arrivals.get(source)
            if arrival is not None:
                x, y, z = arrival[0]
                candidate = x + weight[a], y + weight[b], z + weight[c]
                if best is None or candidate > best[0]:
                    best = candidate, source
        if best is not None:
            arrivals[node] = best
    return arrivals


def trace(graph: Graph, arrivals: dict, bit) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Start and cells of the path that arrives at ``bit``."""
    cells, node = [], bit
    while (source := arrivals[node][1]) is not None:
        cell = node[0] if isinstance(node, tuple) else graph.driver[node]
        net = "" if isinstance(node, tuple) else graph.names(node)
        if not cells or cells[-1][0] != cell:
            cells.append((cell, net))
        node = source
    listed = tuple((graph.cells[cell]["type"], net) for cell, net in reversed(cells))
    return graph.launches[node][1], listed
