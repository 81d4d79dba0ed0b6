"""A sized program tells what the whole one does, without what lies in the memory."""

import pytest

from gateformer.gateware.memory.bus import MemoryShape
from gateformer.gateware.streamed.images import Kind
from gateformer.gateware.streamed.program import StreamedProgram
from gateformer.platforms.sizes.streamed.program import SizedStreamedProgram
from tests.platforms.simulation.test_streamed_simulation import grouped_model_of, model_of


@pytest.mark.parametrize("streams", [1, 3])
@pytest.mark.parametrize("kind", [model_of, grouped_model_of])
@pytest.mark.parametrize("seed", [1, 2])
def test_the_same_instructions_and_segments(kind, seed, streams):
    model, memory = kind(seed), MemoryShape(2, 8, 4)
    whole = StreamedProgram(model, memory, streams)
    sized = SizedStreamedProgram(model, memory, streams)
    assert sized.instructions == whole.instructions
    assert sized.segments == whole.segments
    assert sized.facts == whole.facts
    for position in range(model.config.ctx_len):
        assert sized.cycles(position) == whole.cycles(position)


def test_bytes_of_a_pass():
    memory = MemoryShape(2, 8, 4)
    one, two = (SizedStreamedProgram(model_of(1), memory, streams) for streams in (1, 2))
    records = memory.stripe_bytes * (one.token_stripes + one.position_stripes)
    fixed = sum(
        memory.stripes(segment.words) for segment in one.segments if segment.kind is Kind.FIXED
    )
    assert one.bytes_per_pass(0) == fixed * memory.stripe_bytes + records
    # the second stream adds its records, its keys and values, and a part of the instructions
    assert records <= two.bytes_per_pass(0) - one.bytes_per_pass(0) < one.bytes_per_pass(0) / 2
    grown = [program.bytes_per_pass(5) - program.bytes_per_pass(0) for program in (one, two)]
    assert grown[1] == 2 * grown[0] > 0
