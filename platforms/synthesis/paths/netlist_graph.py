"""Combinational graph of a mapped netlist: what every cell adds to it."""

from __future__ import annotations

import re

from .blocks import add_dsp48e1, add_memory, add_mult18x18d
from .cells import (
    ASYNCHRONOUS,
    BUFFERS,
    CARRIES,
    ENABLE_PIN,
    LUT_MEMORY_READS,
    LUTS,
    MEMORIES,
    MUX_SELECT,
    REGISTERS,
    RESET_PIN,
    SHIFT_REGISTERS,
    is_clock,
)
from .graph import Graph
from .names import signal_name


class NetlistGraph(Graph):
    """The graph of a module of a netlist in yosys' JSON, which is flat.

    Raises ValueError for a cell whose timing is not known.
    """

    def __init__(self, module: dict):
        super().__init__(module)
        for name, cell in self.cells.items():
            self._add_cell(name, cell)

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

    def _add_boundary(self, name: str, cell: dict):
        for port, _, bit in self.pins(cell, "output"):
            self.launch(bit, self.delays.register, 0, f"{signal_name(name)}.{port}")
        self.end_inputs(name, cell, self.delays.register_setup)
