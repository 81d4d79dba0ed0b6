"""Verilog, read by yosys and compiled by CXXRTL, under testbenches written for amaranth.sim.

Only what the drivers in :mod:`tests.support.axi_driver` use: one clock, ``set``, ``get`` and
``tick``.
"""

import ctypes
import dataclasses
import types

from gateformer.model.support.cache import cached_file, digest
from gateformer.platforms.simulation.cxxrtl import mangle
from gateformer.platforms.simulation.flat_design import publish_wires
from gateformer.platforms.support import cpp_compiler, yosys
from gateformer.platforms.support.tools import run_tool

_SHIM = """\
#include "design.cc"
#define EXPORT extern "C" __attribute__((visibility("default")))
using Top = cxxrtl_design::p_{top};
EXPORT void *create() {{ return new Top; }}
EXPORT void destroy(Top *top) {{ delete top; }}
EXPORT void step(Top *top) {{ top->step(); }}
EXPORT void set(Top *top, int port, uint32_t value) {{
	switch (port) {{
{setters}	}}
}}
EXPORT uint32_t get(Top *top, int port) {{
	switch (port) {{
{getters}	}}
	return 0;
}}
"""


_SCRIPTS = (
    "read_verilog design.v\nhierarchy -check -top {top}\nproc\nflatten\n"
    "opt_expr\nopt_merge\nopt_clean -purge\nwrite_rtlil flat.il\n",
    "read_rtlil flat.il\nwrite_cxxrtl -g0 -O5 -header design.cc\n",
)
_FLAGS = (*cpp_compiler.FLAGS, "-O0")
"""Few cycles: compiling takes longer than running."""


@dataclasses.dataclass(frozen=True)
class Port:
    """A port of the module, at most 32 bits wide."""

    name: str
    index: int
    width: int
    is_input: bool

    def __len__(self):
        return self.width


class VerilogBench:
    """A module under testbenches; has the methods of amaranth's Simulator that drivers use.

    Parameters
    ----------
    verilog : str
    top : str
    ports : list of (name, width, is_input)
    clock : str
        Name of the input that is the clock.
    """

    def __init__(self, verilog, top, ports, clock):
        self.ports = types.SimpleNamespace(
            **{name: Port(name, i, *rest) for i, (name, *rest) in enumerate(ports)}
        )
        self._clock = getattr(self.ports, clock)
        shim = _shim(top, vars(self.ports).values())
        parts = (verilog, shim, *_SCRIPTS, yosys.version(), " ".join(_FLAGS))

        def make(work, target):
            _compile(work, target, verilog, top, shim)

        target = cached_file(f"verilog-bench-{digest(*parts)[:32]}.so", make)
        self._library = library = ctypes.CDLL(str(target))
        library.create.restype = ctypes.c_void_p
        library.get.restype = ctypes.c_uint32
        self._top = ctypes.c_void_p(library.create())
        self._settled = False
        self._processes = []

    def set(self, port, value):
        self._library.set(self._top, port.index, ctypes.c_uint32(value))
        self._settled = False

    def get(self, port):
        if not self._settled:
            self._library.step(self._top)
            self._settled = True
        return self._library.get(self._top, port.index)

    def tick(self):
        return _Ticks(self, ())

    def add_testbench(self, process, *, background=False):
        """A coroutine function of one argument, this bench."""
        self._processes.append([process(self), background, ()])

    def run(self):
        """Until every testbench that is not in the background has ended."""
        for entry in self._processes:
            self._resume(entry, None)
        while any(not background for _, background, _ in self._processes):
            # Values of before the edge, as registers see them.
            samples = [[self.get(port) for port in waits] for _, _, waits in self._processes]
            for level in (1, 0):
                self.set(self._clock, level)
                self.get(self._clock)
            for entry, values in zip(list(self._processes), samples, strict=True):
                self._resume(entry, values)

    def _resume(self, entry, values):
        try:
            entry[2] = entry[0].send(values)
        except StopIteration:
            self._processes.remove(entry)


def _shim(top, ports):
    setters = (
        f"\tcase {p.index}: top->{mangle(p.name)}.set(value); break;\n" for p in ports if p.is_input
    )
    getters = (f"\tcase {p.index}: return top->{mangle(p.name)}.get<uint32_t>();\n" for p in ports)
    return _SHIM.format(
        top=mangle(top).removeprefix("p_"), setters="".join(setters), getters="".join(getters)
    )


def _compile(work, target, verilog, top, shim):
    (work / "design.v").write_text(verilog)
    yosys.run(_SCRIPTS[0].format(top=top), work)
    flat = work / "flat.il"
    flat.write_text(publish_wires(flat.read_text()))
    yosys.run(_SCRIPTS[1], work)
    (work / "shim.cc").write_text(shim)
    command = [*cpp_compiler.find_compiler(), *_FLAGS, f"-I{yosys.cxxrtl_headers()}", "-shared"]
    run_tool([*command, "shim.cc", "-o", target.name], work)


class _Ticks:
    """What ``ctx.tick()`` gives: to await, sample, repeat and iterate over."""

    def __init__(self, bench, ports):
        self._bench, self._ports = bench, ports

    def sample(self, *ports):
        return _Ticks(self._bench, (*self._ports, *ports))

    def __await__(self):
        values = yield self._ports
        return True, False, *values

    async def until(self, condition):
        while True:
            _, _, *values, met = await _Ticks(self._bench, (*self._ports, condition))
            if met:
                return tuple(values)

    async def repeat(self, count):
        for _ in range(count):
            await self

    async def __aiter__(self):
        while True:
            yield await self
