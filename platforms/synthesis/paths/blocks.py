"""Block memories and multipliers in the graph of a netlist's paths: which registers they hold."""

from __future__ import annotations

import re

from .cells import CASCADE_PIN, is_clock
from .graph import Graph
from .names import signal_name


def parameter(cell: dict, name: str, default):
    """A cell's parameter, as an integer if ``default`` is one."""
    value = cell.get("parameters", {}).get(name, default)
    if isinstance(value, str) and isinstance(default, int):
        return int(value, 2)
    return value


def add_memory(graph: Graph, name: str, cell: dict):
    """A block memory: its outputs with or without their registers."""
    delays, trellis = graph.delays, cell["type"] == "DP16KD"
    for port, _, bit in graph.pins(cell, "output"):
        side = port[2:3] if port.startswith("DO") else ""
        # DOADO, DOPADOP; DOA3 on ECP5
        side = port[3] if side == "P" else side
        if trellis:
            registered = parameter(cell, f"REGMODE_{side}", "NOREG") == "OUTREG"
        else:
            registered = side in ("A", "B") and parameter(cell, f"DO{side}_REG", 0) != 0
        ns = delays.memory_registered if registered else delays.memory
        graph.launch(bit, ns, 1, f"{signal_name(name)}.DO{side}")
        if not registered:
            _unregistered(graph, name, f"DO{side}", cell, bit)
    graph.end_inputs(name, cell, delays.memory_setup)


def _unregistered(graph: Graph, name: str, port: str, cell: dict, bit):
    if graph.data_pins[bit] or graph.reset_pins[bit] or graph.enable_pins[bit]:
        graph.outputs_without_register[name, port, cell["type"]].append(bit)


def _add_multiplier(graph: Graph, name, cell, first_register, last_register, outputs):
    """A multiplier by where its registers are.

    ``first_register(port)``: "input", "pipeline", "output" or None, the first register
    behind an input; ``last_register``: the last one before the outputs (None: combinational).
    """
    delays, inside = graph.delays, (name, "product")
    setups = {
        "input": delays.multiplier_setup_input,
        "pipeline": delays.multiplier_setup_pipeline,
        "output": delays.multiplier_setup_output,
    }
    for port, index, bit in graph.pins(cell, "input"):
        if is_clock(cell, port):
            continue
        first = first_register(port)
        if first is None:
            local = bool(CASCADE_PIN.fullmatch(port))
            through = delays.multiplier_through
            graph.arc(bit, inside, 0, through, elements=1, local=local)
        else:
            graph.end_at_cell(name, cell, port, index, bit, setups[first])
    launch = {
        "input": delays.multiplier_input,
        "pipeline": delays.multiplier_pipeline,
        "output": delays.multiplier_output,
    }
    for port, _, bit in graph.pins(cell, "output"):
        if outputs.fullmatch(port):
            graph.arc(inside, bit, 0, 0.0)
            if last_register is not None:
                graph.launch(bit, launch[last_register], 1, f"{signal_name(name)}.P")
            if last_register != "output":
                _unregistered(graph, name, "P", cell, bit)
        else:
            graph.launch(bit, delays.register, 0, f"{signal_name(name)}.{port}")


def add_dsp48e1(graph: Graph, name: str, cell: dict):
    """A DSP48E1, by the parameters of its registers."""
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
        if port in ("A", "D", "INMODE") and on["AD"] and _uses_preadder(cell):
            return "pipeline"  # the pre-adder before its register takes about as long
        return product if port in ("A", "B", "D", "INMODE") else sum_

    used = ["A", "B", "C"]
    inputs = any(
        on[key] for key in used if any(not isinstance(b, str) for b in cell["connections"][key])
    )
    last = sum_ or product or ("input" if inputs else None)
    _add_multiplier(graph, name, cell, first_register, last, re.compile(r"(?![AB]COUT).*"))


def _uses_preadder(cell: dict) -> bool:
    return parameter(cell, "USE_DPORT", "FALSE") == "TRUE"


def add_mult18x18d(graph: Graph, name: str, cell: dict):
    """A MULT18X18D, by the parameters of its registers."""
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
    _add_multiplier(graph, name, cell, first_register, last, re.compile(r"P\d+"))
