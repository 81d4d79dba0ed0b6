"""A real model, stories260K on TinyStories: calibrated on one text, measured on another."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from gateformer.model.contract.decoder.reference import DecoderReference
from gateformer.model.evaluation.quality import agreement
from gateformer.model.floating.checkpoints.opening import open_source
from gateformer.model.floating.decoder import FloatDecoder
from gateformer.model.importing.calibration import calibrate, calibration_windows
from gateformer.model.importing.choice import Choice
from gateformer.model.importing.quantizing import quantize
from gateformer.model.text.readers.llama2c import read_tokenizer_bin

BOS, LENGTH, WINDOWS = 1, 512, 6


@pytest.fixture(scope="module")
def prepared():
    data = Path(os.environ.get("GATEFORMER_DATA", ""))
    if "GATEFORMER_DATA" not in os.environ or not (data / "stories260K").is_dir():
        pytest.skip("GATEFORMER_DATA has no stories260K")
    source = open_source(data / "stories260K" / "stories260K.bin")
    codec = read_tokenizer_bin(data / "stories260K" / "tok512.bin", source.shape.vocab_size)
    train, held_out = (
        np.array(codec.encode((data / "tinystories" / name).read_text(encoding="utf-8")[:60_000]))
        for name in ("train-head.txt", "sample-a.txt")
    )
    decoder = FloatDecoder(source)
    windows = calibration_windows(train, LENGTH, 12, BOS)
    texts = held_out[: WINDOWS * (LENGTH - 1)].reshape(WINDOWS, -1)
    texts = np.insert(texts, 0, BOS, axis=1)
    return source, calibrate(decoder, windows, products=True), decoder, texts


@pytest.mark.parametrize(
    ("weights", "ratio", "kl"), [("int8", 1.003, 0.003), ("trits:4", 1.01, 0.01)]
)
def test_quality_on_held_out_stories(prepared, weights, ratio, kl):
    """The bars of the project; keys of 8 bits alone would cost 1 %, 0.01."""
    source, ranges, decoder, texts = prepared
    model = quantize(source, ranges, Choice(weights=weights))
    reference = DecoderReference(model)

    def integers():
        for text in texts:
            reference.reset()
            yield reference.feed(text[:-1])

    floats = (decoder.logits(text[None, :-1])[0] for text in texts)
    found = agreement(integers(), floats, (text[1:] for text in texts), model.logit_scale)
    assert found.ratio < ratio and found.kl < kl and found.top1 > 0.92
