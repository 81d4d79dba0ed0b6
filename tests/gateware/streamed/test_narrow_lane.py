# amaranth: UnusedElaboratable=no
"""A lane of look-up tables beside the multiplier that it takes the place of."""

import numpy as np
import pytest
from amaranth.hdl import Module, Shape
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from gateformer.gateware.parts.multiplier import MultiplyAccumulate
from gateformer.gateware.streamed.narrow_lane import NarrowLane
from tests.gateware.decoder.pipeline_bench import extremes, trace

CYCLES, QUERY_BITS, ACC_WIDTH = 400, 16, 30


class Pair(wiring.Component):
    """Both, with the same inputs."""

    def __init__(self, shape: Shape, accumulates: bool):
        self._lane = NarrowLane(
            acc_width=ACC_WIDTH,
            memory_shape=shape,
            query_bits=QUERY_BITS,
            accumulates=accumulates,
        )
        self._other = MultiplyAccumulate(
            acc_width=ACC_WIDTH, memory_bits=shape.width + 1, query_bits=QUERY_BITS
        )
        members = {name: In(port.shape) for name, port in self._lane.signature.members.items()}
        del members["acc"]
        super().__init__({**members, "acc": Out(ACC_WIDTH), "expected": Out(ACC_WIDTH)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.lane, m.submodules.other = self._lane, self._other
        for lane in (self._lane, self._other):
            for name in ("memory", "query", "accumulate", "enable"):
                m.d.comb += getattr(lane, name).eq(getattr(self, name))
        m.d.comb += [self.acc.eq(self._lane.acc), self.expected.eq(self._other.acc)]
        return m


@pytest.mark.parametrize("accumulates", [True, False])
@pytest.mark.parametrize(("bits", "signed"), [(4, True), (4, False), (5, True), (3, True)])
def test_it_is_the_multiplier_of_few_bits(bits, signed, accumulates):
    rng = np.random.default_rng(bits + signed)
    low = -(2 ** (bits - 1)) if signed else 0
    inputs = {
        "memory": rng.integers(low, low + 2**bits, CYCLES).tolist(),
        "query": extremes(rng, 2 ** (QUERY_BITS - 1) - 1, CYCLES).tolist(),
        "accumulate": (rng.integers(2, size=CYCLES) * accumulates).tolist(),
        "enable": rng.integers(2, size=CYCLES).tolist(),
    }
    seen = trace(Pair(Shape(bits, signed), accumulates), inputs, "acc", "expected")
    begin = NarrowLane.LATENCY + 1 + inputs["enable"].index(1)
    assert (seen["acc"][begin:] == seen["expected"][begin:]).all()
    assert len(set(seen["acc"].tolist())) > CYCLES // 4
