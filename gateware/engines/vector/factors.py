"""The RMSNorm factors of several residual vectors, each kept until it is used."""

from __future__ import annotations

from amaranth.hdl import Module
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from ...parts.delay import delayed
from .rms_norm import RmsFactor, RmsSizes


class KeptFactors(wiring.Component):
    """A :class:`.rms_norm.RmsFactor` whose results are kept, one for each of several vectors.

    Their squares come one vector after the other; the factors are read in any order.

    Parameters
    ----------
    sizes : RmsSizes
        The optional register behind the factor is not built: the memory is one.
    vectors : int, at least 2

    Attributes
    ----------
    latency : int
        Cycles from the last squares of a vector to the first ``read`` that finds its factor.

    Members
    -------
    valid, first, last, squares
        As of RmsFactor.
    vector : In(range(vectors))
        With ``last``: whose squares they are.
    read : In(range(vectors))
    short : Out(1), of ``read``, in the same cycle
    factor : Out(unsigned(factor_width)), of ``read``, a cycle later
    """

    def __init__(self, sizes: RmsSizes, vectors: int):
        self._rms = rms = RmsFactor(sizes.without_factor_register)
        self._vectors = vectors
        self.latency = rms.sizes.latency + 1
        inputs = {name: rms.signature.members[name] for name in ("valid", "first", "last")}
        super().__init__(
            {
                **inputs,
                "squares": rms.signature.members["squares"],
                "vector": In(range(vectors)),
                "read": In(range(vectors)),
                "factor": Out(sizes.factor_width),
                "short": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.rms = rms = self._rms
        for name in ("valid", "first", "last", "squares"):
            m.d.comb += getattr(rms, name).eq(getattr(self, name))
        m.submodules.kept = kept = memory.Memory(
            shape=data.StructLayout({"factor": len(self.factor), "short": 1}),
            depth=self._vectors,
            init=[],
            attrs={"ram_style": "distributed"},
        )
        write, read = kept.write_port(), kept.read_port(domain="comb")
        cycles = rms.sizes.latency
        complete = delayed(m, self.valid & self.last, cycles, reset_less=False, name="complete")
        m.d.comb += [
            write.en.eq(complete),
            write.addr.eq(delayed(m, self.vector, cycles, name="vector")),
            write.data.factor.eq(rms.factor),
            write.data.short.eq(delayed(m, rms.short, 1, name="short")),
            read.addr.eq(self.read),
            self.short.eq(read.data.short),
            self.factor.eq(delayed(m, read.data.factor, 1, name="factor")),
        ]
        return m
