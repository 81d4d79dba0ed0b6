"""The memories that a prediction counts are those that the core has."""

import collections
import re

import pytest
from amaranth.back import rtlil

from gateformer.gateware.memory.bus import MemoryShape
from gateformer.gateware.streamed.core import StreamedCore
from gateformer.gateware.streamed.program import StreamedProgram
from gateformer.platforms.sizes.streamed.units import shared_facts, stream_unit_facts
from tests.platforms.simulation.test_streamed_simulation import grouped_model_of, model_of

MEMORY = re.compile(r"^\s*memory width (\d+) size (\d+) ", re.MULTILINE)


@pytest.mark.parametrize("kind", [model_of, grouped_model_of])
@pytest.mark.parametrize("streams", [1, 2])
@pytest.mark.slow_but("1-model_of")
def test_memories_that_are_written(kind, streams):
    program = StreamedProgram(kind(1), MemoryShape(2, 8, 4), streams)
    text = rtlil.convert(StreamedCore(program), name="top")
    built = collections.Counter((int(w), int(d)) for w, d in MEMORY.findall(text))
    each = [m for facts in stream_unit_facts(program).values() for m in facts.memories]
    counted = collections.Counter(
        (memory.width, memory.depth)
        for memory in (*each * streams, *shared_facts(program).memories)
        if not memory.rom
    )
    for shape, number in counted.items():
        assert number <= built[shape], shape
