"""A core's synthesized netlist in compiled simulation."""

from __future__ import annotations

from gateformer.gateware.host.any_core import AnyProgram, build_core
from gateformer.gateware.parts.elaboration import may_stay_unused

from ..simulation.compiled_simulation import CompiledSimulation
from ..simulation.simulation import PATIENCE, CoreSimulator
from .compile import compile_netlist
from .netlist import Module


class NetlistSimulator(CoreSimulator):
    """A netlist of a core, generating like the core itself.

    Parameters
    ----------
    program : Program or DecoderProgram
    netlist : Module
        Synthesis of a ``build_core(program, dsp=…)`` without taps.
    family : str
        Name of the netlist's family.

    Raises
    ------
    UserError
        If there is no C++ compiler.
    ValueError
        If the netlist has a primitive or a setting without a model.
    """

    def __init__(self, program: AnyProgram, netlist: Module, family: str):
        core = build_core(program)
        may_stay_unused(core)
        self.program = program
        self.simulation = CompiledSimulation(core, design=compile_netlist(netlist, core, family))
        self._prompt = self.simulation.source("prompt")
        self._output = self.simulation.sink("output")
        self._taps = {}
        longest = program.cycles(program.model.config.ctx_len - 1, sampled=True, top_k=True)
        self._patience = PATIENCE * longest + 1000
        self.first_beat = 0
