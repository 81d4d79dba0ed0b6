"""Integers as floats again: the same function up to the rounding of activations."""

import dataclasses

import numpy as np
import pytest

from gateformer.model.contract.choices import Bits
from gateformer.model.contract.decoder.reference import window_logits
from gateformer.model.floating.decoder import FloatDecoder, softmax
from gateformer.model.floating.dequantized import dequantize, inverse_frequencies
from gateformer.model.importing.calibration import calibrate
from gateformer.model.importing.choice import Choice
from gateformer.model.importing.quantizing import quantize
from gateformer.model.support.errors import UserError
from tests.model.importing.random_source import random_source, random_windows
from tests.support.decoder_choices import named, shapes

MOST_KL = 2e-3
"""Of the rounding of activations, keys and values of 8 bits, in models of a few dozen channels."""


def kl(exact: np.ndarray, rounded: np.ndarray) -> float:
    p, q = softmax(exact), softmax(rounded)
    return float((p * np.log(p / q)).sum(axis=-1).mean())


def compared(source):
    """What is compared: seen by the calibration, so that nothing is limited."""
    return random_windows(7, source, 2)


def quantized(fields, weights="int8", **choices):
    source = random_source(3, **fields)
    ranges = calibrate(FloatDecoder(source), [*random_windows(1, source, 4), *compared(source)])
    return source, quantize(source, ranges, Choice(weights=weights, **choices))


@pytest.mark.parametrize("fields", shapes(), ids=named)
def test_the_same_function_as_the_integers(fields):
    source, model = quantized(fields, weights="int5")
    made = dequantize(model)
    tokens = np.stack(compared(source))
    integers = window_logits(model, tokens) * model.logit_scale
    floats = FloatDecoder(made.source("made")).logits(tokens)
    assert kl(floats, integers) < MOST_KL
    # far less than what the weights have lost, so a wrong scale would show
    assert kl(FloatDecoder(source).logits(tokens), floats) > 2 * kl(floats, integers)


@pytest.mark.parametrize("weights", ["int8", "trits:5"])
def test_fine_weights_are_nearly_the_source(weights):
    fields = {"activation": "silu", "gated": True, "tied_head": False}
    source, model = quantized(fields, weights=weights, smoothing=0.5)
    tokens = np.stack(compared(source))
    floats = FloatDecoder(dequantize(model).source("made")).logits(tokens)
    assert kl(FloatDecoder(source).logits(tokens), floats) < MOST_KL


@pytest.mark.parametrize("length", [1, 2, 700, 2048])
def test_frequencies_from_tables(length):
    frequencies = 10_000.0 ** -(np.arange(16) / 16)
    angles = np.outer(np.arange(length), frequencies)
    tables = (np.rint(2**14 * f(angles)).astype(np.int64) for f in (np.cos, np.sin))
    found = np.array(inverse_frequencies(*tables))
    assert np.abs(np.outer(np.arange(length), found) - angles).max() < 4 / 2**14


def test_epsilons_that_differ_are_refused():
    _, model = quantized({})
    norms = dict(model.norms)
    norms["final_norm"] = dataclasses.replace(norms["final_norm"], eps=7)
    with pytest.raises(UserError, match=r"^eps of the norms is 7 and \d+; a float decoder has one"):
        dequantize(dataclasses.replace(model, norms=norms))


def test_widths_do_not_matter():
    _, narrow = quantized({}, bits=Bits(norm=12, query=13, hidden=16))
    source, wide = quantized({})
    tokens = np.stack(compared(source))
    a, b = (FloatDecoder(dequantize(m).source("m")).logits(tokens) for m in (narrow, wide))
    assert kl(a, b) < 1e-4
