"""A design with vendor's primitives as gates, simulated for many inputs side by side."""

import json
import shutil

import numpy as np
from amaranth.back import rtlil

from gateformer.platforms.support import yosys
from gateformer.platforms.synthesis.compile import MODELS

SCRIPT = """
read_rtlil top.il
{models}
hierarchy -check -top top
proc
flatten -noscopeinfo
opt -full
dffunmap
techmap
opt_expr
opt_merge
opt_clean
write_json top.json
"""

GATES = {
    "$_NOT_": lambda a: ~a,
    "$_BUF_": lambda a: a,
    "$_AND_": lambda a, b: a & b,
    "$_OR_": lambda a, b: a | b,
    "$_XOR_": lambda a, b: a ^ b,
    "$_XNOR_": lambda a, b: ~(a ^ b),
    "$_MUX_": lambda a, b, s: np.where(s, b, a),
}


class GateSimulator:
    """``component`` at its gates, every register 0 at first; ``models``: files of primitives.

    ``lanes`` simulations run side by side, each with inputs of its own.
    """

    def __init__(self, component, models, work, lanes):
        (work / "top.il").write_text(rtlil.convert(component, name="top"))
        for name in models:
            shutil.copy(MODELS / name, work)
        read = "\n".join(f"read_verilog -overwrite {name}" for name in models)
        yosys.run(SCRIPT.format(models=read), work)
        module = json.loads((work / "top.json").read_text())["modules"]["top"]
        self._ports = module["ports"]
        self._nets = {"0": np.zeros(lanes, bool), "1": np.ones(lanes, bool)}
        self._nets["x"] = self._nets["0"]
        self._registers, cells = [], []
        for cell in module["cells"].values():
            nets = {name: bits[0] for name, bits in cell["connections"].items()}
            if cell["type"] == "$_DFF_P_":
                self._registers.append((nets["D"], nets["Q"]))
                self._nets[nets["Q"]] = np.zeros(lanes, bool)
            else:
                cells.append(
                    (GATES[cell["type"]], [nets[n] for n in "ABS" if n in nets], nets["Y"])
                )
        self._cells = self._in_order(cells)

    def _in_order(self, cells):
        known = {
            *self._nets,
            *(
                bit
                for port in self._ports.values()
                for bit in port["bits"]
                if port["direction"] == "input"
            ),
        }
        ordered = []
        while cells:
            ready = [cell for cell in cells if known.issuperset(cell[1])]
            assert ready, "a loop without a register"
            known.update(cell[2] for cell in ready)
            cells = [cell for cell in cells if cell[2] not in known]
            ordered += ready
        return ordered

    def set(self, **values):
        """Integers, of one simulation each or the same for all; or a list of every bit's."""
        for name, value in values.items():
            bits = self._ports[name]["bits"]
            if not isinstance(value, list):
                value = [np.asarray(value) >> i & 1 for i in range(len(bits))]
            for bit, of_bit in zip(bits, value, strict=True):
                self._nets[bit] = np.broadcast_to(of_bit, self._nets["0"].shape).astype(bool)

    def get(self, name):
        """Signed."""
        bits = self._ports[name]["bits"]
        value = sum(self._nets[bit].astype(np.int64) << i for i, bit in enumerate(bits))
        return value - (self._nets[bits[-1]].astype(np.int64) << len(bits))

    def settle(self):
        for gate, inputs, output in self._cells:
            self._nets[output] = gate(*(self._nets[net] for net in inputs))

    def tick(self):
        """A clock edge, after :meth:`settle`."""
        after = [self._nets[d] for d, _ in self._registers]
        for (_, q), value in zip(self._registers, after, strict=True):
            self._nets[q] = value
