"""Texts of a build: what they are when the context is full."""

import pytest

from gateformer.model.contract.decoder.reference import DecoderReference
from gateformer.model.contract.decoder.sampling import DecoderSettings
from gateformer.platforms.simulation.generation import TextGenerator
from tests.support.imported.small_accelerator import PREFIX, artifact, reference_text


class ReferenceSimulator:
    """A core that is right."""

    def generate(self, prompt, count, settings):
        for token in DecoderReference(artifact().model).generate(prompt, count, settings):
            yield token, 0


@pytest.mark.parametrize("count", [5, 40, 70])
def test_what_comes_before_a_prompt_stays_when_a_window_is_fed_again(count):
    """As for the driver and ``gateformer generate``."""
    assert PREFIX
    pieces = []
    generator = TextGenerator(artifact(), ReferenceSimulator(), DecoderSettings(), pieces.append)
    text, _ = generator.generate("the cat", count, refeed=True)
    assert text == "".join(pieces) == reference_text("the cat", count, refeed=True)
