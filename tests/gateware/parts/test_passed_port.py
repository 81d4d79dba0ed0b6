"""Ports that a component passes through to a part of it."""

from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from gateformer.gateware.parts.passed_port import pass_port
from tests.support.component_simulation import simulate

PORTS = {
    "given": In(4),
    "answer": Out(4),
    "words": In(stream.Signature(4)),
    "results": Out(stream.Signature(4)),
}


class Part(wiring.Component):
    """Answers what it is given plus 1, a cycle later, and what its stream brings plus 2."""

    def __init__(self):
        super().__init__(PORTS)

    def elaborate(self, platform):
        m = Module()
        m.d.sync += self.answer.eq(self.given + 1)
        m.d.comb += [
            self.results.valid.eq(self.words.valid),
            self.results.payload.eq(self.words.payload + 2),
            self.words.ready.eq(self.results.ready),
        ]
        return m


class Whole(wiring.Component):
    """Has the ports of a Part, under other names."""

    def __init__(self):
        super().__init__({f"{name}1": member for name, member in PORTS.items()})

    def elaborate(self, platform):
        m = Module()
        m.submodules.part = part = Part()
        for name in PORTS:
            pass_port(m, getattr(self, f"{name}1"), part, name)
        return m


def test_signals_and_streams_go_both_ways():
    dut = Whole()

    async def process(ctx):
        ctx.set(dut.given1, 5)
        ctx.set(dut.words1.payload, 7)
        await ctx.tick()
        assert ctx.get(dut.answer1) == 6
        assert ctx.get(dut.results1.payload) == 9
        for valid, ready in ((0, 1), (1, 0), (1, 1)):
            ctx.set(dut.words1.valid, valid)
            ctx.set(dut.results1.ready, ready)
            assert ctx.get(dut.results1.valid) == valid
            assert ctx.get(dut.words1.ready) == ready

    simulate(dut, process)
