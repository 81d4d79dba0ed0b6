"""Streamed cores that calibrate and check the resource model: small vocabularies and contexts."""

from __future__ import annotations

import dataclasses

from amaranth.back import rtlil

from gateformer.gateware.memory.bus import MemoryShape
from gateformer.gateware.streamed.core import StreamedCore
from gateformer.gateware.streamed.program import StreamedProgram
from gateformer.model.contract.artifact import open_model

from ...families.family import Family
from ...synthesis.synthesis import TOP
from ..points import counted

_LLAMA = "random:norm=rms,positions=rotary,activation=silu,gated=1,"
SMALL = f"{_LLAMA}n_layers=1,vocab_size=48,d_model=64,n_heads=4,n_kv_heads=2,d_ff=96,ctx_len=48"
DEEPER = f"{_LLAMA}n_layers=2,vocab_size=300,d_model=96,n_heads=3,n_kv_heads=3,d_ff=160,ctx_len=600"
MODULES = ("reader", "writer", "check", "passes", "core.fetch", "core.walker")
"""Of a core, once."""
SLOT_MODULES = ("core.sampler", "core.datapath")
"""For each slot, its number behind the name but for the first one."""
ENGINES = ("lanes", "softmax", "residual", "requantizer", "rotation", "gate")
"""Of a datapath."""


@dataclasses.dataclass(frozen=True)
class StreamedPoint:
    """One core to synthesize: a model, as ``model.contract.artifact.open_model`` takes it, ports of
    the memory and bytes of each, and streams."""

    model: str
    ports: int
    streams: int
    data_bytes: int = 8

    def cells(self, family: Family) -> dict[str, int]:
        """Primitives of the synthesized core; kept by the digest of the design."""
        return counted(self._rtlil(family), [TOP], family)[0]

    def cells_apart(self, family: Family) -> dict[str, dict[str, int]]:
        """Those of each of its modules, which stay apart, and of :data:`TOP`, what is left."""
        names = [*MODULES]
        for slot in range(self.streams):
            sampler, datapath = (f"{name}{slot or ''}" for name in SLOT_MODULES)
            names += [sampler, datapath, *(f"{datapath}.{engine}" for engine in ENGINES)]
        text = self._rtlil(family)
        modules = [TOP, *(f"{TOP}.{name}" for name in names if f"\\{TOP}.{name}\n" in text)]
        return dict(zip(modules, counted(text, modules, family), strict=True))

    def _rtlil(self, family: Family) -> str:
        model = open_model(self.model, imported=True).model
        memory = MemoryShape(self.ports, self.data_bytes)
        program = StreamedProgram(model, memory, self.streams)
        return rtlil.convert(StreamedCore(program, dsp=family.dsp), name=TOP)


WHOLE = StreamedPoint(DEEPER, ports=2, streams=2)
APART = StreamedPoint(SMALL, ports=4, streams=2)
