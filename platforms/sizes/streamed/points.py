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
_GPT2 = "random:norm=layer,norm_bias=1,positions=learned,activation=gelu_tanh,bias=1,"
LLAMA = f"{_LLAMA}n_layers=1,vocab_size=48,d_model=64,n_heads=4,n_kv_heads=2,d_ff=96,ctx_len=48"
GPT2 = f"{_GPT2}n_layers=1,vocab_size=65,d_model=48,n_heads=3,d_ff=80,ctx_len=64"
OTHER = f"{_LLAMA}n_layers=2,vocab_size=300,d_model=96,n_heads=3,n_kv_heads=3,d_ff=160,ctx_len=600"
NATIVE = (
    f"{_LLAMA}n_layers=1,vocab_size=48,d_model=64,n_heads=2,n_kv_heads=1,d_ff=96,ctx_len=48,"
    "weights=block:4:32:min,weights.down_proj=int8"
)


@dataclasses.dataclass(frozen=True)
class StreamedPoint:
    """One core to synthesize.

    Attributes
    ----------
    model : str, as ``model.contract.artifact.open_model`` takes it
    ports, data_bytes, streams : int
    checks : bool, only compared with the prediction, not used for it
    """

    model: str
    ports: int
    streams: int
    checks: bool = False
    data_bytes: int = 8

    def program(self) -> StreamedProgram:
        model = open_model(self.model, imported=True).model
        return StreamedProgram(model, MemoryShape(self.ports, self.data_bytes), self.streams)

    def cells(self, family: Family) -> dict[str, int]:
        """Primitives of the synthesized core; kept by the digest of the design."""
        text = rtlil.convert(StreamedCore(self.program(), dsp=family.dsp), name=TOP)
        return counted(text, [TOP], family)[0]


CALIBRATED = (StreamedPoint(OTHER, 2, 2),)
"""Cores that the stored factors are fitted to, beside whole tops of SmolLM2-135M."""
APART = StreamedPoint(LLAMA, 4, 2, checks=True)
"""One whose modules were counted one by one."""
FURTHER = (
    StreamedPoint(LLAMA, 1, 1, checks=True),
    StreamedPoint(GPT2, 4, 1, checks=True),
    StreamedPoint(LLAMA, 1, 3, checks=True),
    StreamedPoint(NATIVE, 2, 2, checks=True),
)
"""Others, not synthesized yet."""
