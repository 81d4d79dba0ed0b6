"""What is counted of numbers that a limit changed, when prompt tokens share passes."""

import dataclasses

import pytest

from gateformer.gateware.streamed.program import StreamedProgram
from gateformer.model.contract.choices import Bits
from gateformer.model.contract.decoder.reference import DecoderReference
from gateformer.model.contract.decoder.sampling import DecoderSettings
from gateformer.platforms.simulation.streams import StreamsSimulator
from tests.platforms.simulation.test_streamed_simulation import MEMORIES, MOODS, model_of


@pytest.mark.slow
@pytest.mark.parametrize("prompt", [[2], [2, 5], [7, 1, 3]], ids=len)
def test_saturations_are_those_of_every_pass(prompt):
    """Norm and head at the end of a pass are of all its slots: a token of the prompt that shares
    that of the last one counts there, too, which it does not alone."""
    # the last norm's numbers are limited often, and so are those of 8 bits where nothing is gated
    bits = Bits(hidden=8, attention=8, logit=16)
    model = model_of(3, positions="learned", gated=False, bits=bits, formats={})
    norm = model.norms["final_norm"]
    norm = dataclasses.replace(norm, shift=norm.shift - 1)
    model = dataclasses.replace(model, norms={**model.norms, "final_norm": norm})
    simulator = StreamsSimulator(StreamedProgram(model, MEMORIES[1], 2), timing=MOODS[1])
    tokens = [token for token, _ in simulator.generate(prompt, 3, DecoderSettings())]
    reference = DecoderReference(model)
    limited, at_the_end = [], []
    for token in [*prompt, *tokens][:-1]:
        reference.saturations.clear()
        reference.feed([token])
        counts = {stage: count for stage, (count, _) in reference.saturations.items()}
        at_the_end.append(counts["final_norm"] + counts["logits"])
        kept = (s for s in counts if s != "embed" and not s.endswith("_residual"))
        limited.append(sum(map(counts.get, kept)))
    silent = len(prompt) - 1
    shared = at_the_end[silent - 1] if len(prompt) % 2 == 0 else 0
    assert simulator.simulation.get("saturations") == (
        sum(limited) - sum(at_the_end[:silent]) + shared
    )
    assert sum(at_the_end) > 0 and (shared > 0 or len(prompt) % 2)
