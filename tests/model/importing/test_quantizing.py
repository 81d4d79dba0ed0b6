"""An imported model's integers compute what the float model computes, stage by stage."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from gateformer.model.contract.choices import Bits
from gateformer.model.contract.decoder.reference import DecoderReference, window_logits
from gateformer.model.evaluation.quality import agreement
from gateformer.model.floating.decoder import FloatDecoder
from gateformer.model.importing.calibration import calibrate
from gateformer.model.importing.choice import Choice
from gateformer.model.importing.quantizing import quantize
from gateformer.model.support.errors import UserError

from .random_source import GPT2, random_source, random_windows

FAMILIES = {
    "llama": {},
    "own head, many kv heads": {"tied_head": False, "n_kv_heads": 4},
    "qwen2": {"bias": frozenset(("q_proj", "k_proj", "v_proj"))},
    "free head_dim": {"head_dim": 12, "n_heads": 3, "n_kv_heads": 1},
    "gpt2": GPT2,
    "gpt2 without biases": {**GPT2, "bias": frozenset(), "norm_bias": False},
    "neox": {**GPT2, "positions": "rotary", "activation": "gelu", "tied_head": False},
    "relu": {**GPT2, "activation": "relu"},
    "gated gelu": {"activation": "gelu_tanh"},
}
MOST_ERROR = {"k": 0.012, "v": 0.012}
"""Relative error of a stage; k and v have 8 bits, the others 16 and the weights 8."""
OTHER_ERROR = 0.04
LATE_ERROR = 0.07
"""Behind the first layer, whose errors add up."""


def imported(source, choice=None, context=None, products=False):
    ranges = calibrate(FloatDecoder(source), random_windows(1, source, 8), products=products)
    return quantize(source, ranges, choice, context)


def integer_taps(model, tokens):
    taps = {}
    logits = window_logits(model, tokens[None], lambda name, value: taps.update({name: value}))
    return logits[0], taps


def float_taps(source, tokens):
    taps = {}
    FloatDecoder(source).logits(tokens[None], lambda name, value: taps.update({name: value[0]}))
    return taps


def relative_error(integer, floating):
    """Of the integers times the best scale of each channel."""
    integer = integer.astype(np.float64)
    power = np.maximum((integer**2).sum(axis=0), 1e-30)
    scaled = integer * ((integer * floating).sum(axis=0) / power)
    return float(np.linalg.norm(scaled - floating) / np.linalg.norm(floating))


def divergence(source, model, count=3):
    windows = random_windows(2, source, count)
    reference, decoder = DecoderReference(model), FloatDecoder(source)

    def integers():
        for window in windows:
            reference.reset()
            yield reference.feed(window[: model.config.ctx_len])

    floats = (decoder.logits(w[None, : model.config.ctx_len])[0] for w in windows)
    targets = [np.roll(w[: model.config.ctx_len], -1) for w in windows]
    return agreement(integers(), floats, targets, model.logit_scale)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_stage_is_the_float_stage_times_its_scale(family):
    source = random_source(3, **FAMILIES[family])
    model = imported(source)
    tokens = random_windows(2, source, 1)[0]
    _, integers = integer_taps(model, tokens)
    floats = float_taps(source, tokens)
    if not source.shape.gated:
        floats = {name.replace(".up", ".gate"): value for name, value in floats.items()}
    assert set(floats) <= set(integers)
    for stage, value in floats.items():
        most = MOST_ERROR.get(stage.rpartition(".")[2], OTHER_ERROR)
        if not stage.startswith(("embed", "layers.0")):
            most = LATE_ERROR
        assert relative_error(integers[stage], value) < most, stage


@pytest.mark.parametrize("family", FAMILIES)
def test_logits_times_logit_scale_are_the_float_logits(family):
    source = random_source(4, **FAMILIES[family])
    model = imported(source)
    tokens = random_windows(2, source, 1)[0]
    logits, _ = integer_taps(model, tokens)
    expected = FloatDecoder(source).logits(tokens[None])[0]
    off = logits * model.logit_scale - expected
    assert np.sqrt((off**2).mean()) < 0.03 * expected.std()
    assert divergence(source, model).kl < 0.002


@pytest.mark.parametrize(
    ("weights", "most"),
    [
        *[("int8", 0.002), ("int7", 0.004), ("int6", 0.012), ("int5", 0.05), ("int4", 0.2)],
        *[("trits:5", 0.002), ("trits:4", 0.006), ("trits:3", 0.05), ("trits:2", 0.5)],
    ],
)
def test_each_format_diverges_as_little_as_its_levels_allow(weights, most):
    source = random_source(5)
    model = imported(source, Choice(weights=weights))
    assert {str(model.matrices[name].format) for name in model.config.matrix_names()} == {weights}
    assert str(model.matrices["token_embedding"].format) == "int8"
    assert divergence(source, model).kl < most


def test_single_matrices_have_formats_of_their_own():
    formats = {"layers.0.up_proj": "int4", "token_embedding": "trits:5"}
    model = imported(random_source(5), Choice(weights="int6", formats=formats))
    assert model.config.format_of("layers.0.up_proj") == "int4"
    assert model.config.format_of("layers.1.up_proj") == "int6"
    assert model.config.format_of("token_embedding") == "trits:5"


def test_a_tied_head_is_the_embedding_with_another_shift():
    model = imported(random_source(6))
    assert set(model.matrices) == set(model.config.all_matrix_names())
    assert model.head == (model.matrices["token_embedding"], model.head_shift)


def test_a_shorter_context_keeps_the_function():
    source = random_source(7)
    long, short = imported(source), imported(source, context=10)
    tokens = random_windows(2, source, 1)[0][:10]
    assert short.config.ctx_len == 10
    assert np.array_equal(integer_taps(long, tokens)[0], integer_taps(short, tokens)[0])


def test_smoothing_pays_where_one_channel_outshines_the_others():
    source = random_source(8)
    for name in ("layers.0.attn_norm", "layers.1.attn_norm", "layers.0.ffn_norm"):
        source.tensors[name][3] *= 60
    for i in range(2):
        for kind in ("q", "k", "v", "gate", "up"):
            source.tensors[f"layers.{i}.{kind}_proj"][:, 3] /= 60
    bits = Bits(norm=8)
    plain, smooth = (imported(source, Choice(bits=bits, smoothing=s)) for s in (0.0, 0.5))
    assert divergence(source, smooth).kl < 0.5 * divergence(source, plain).kl


def test_bad_calibration_shows_as_saturation_of_the_stage():
    source = random_source(9)
    ranges = calibrate(FloatDecoder(source), random_windows(1, source, 4))
    largest = {**ranges.largest, "layers.1.hidden": ranges.largest["layers.1.hidden"] / 50}
    model = quantize(source, dataclasses.replace(ranges, largest=largest))
    reference = DecoderReference(model)
    reference.feed(random_windows(2, source, 1)[0])
    limited = {stage for stage, (n, of) in reference.saturations.items() if n > 0.02 * of}
    assert limited == {"layers.1.hidden"}


def test_progress_counts_to_its_end():
    seen = []
    source = random_source(1)
    ranges = calibrate(FloatDecoder(source), random_windows(1, source, 1))
    quantize(source, ranges, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda s: imported(s, context=25),
            "the context must be 1 to 24 tokens, the model's, not 25",
        ),
        (
            lambda s: imported(s, context=0),
            "the context must be 1 to 24 tokens, the model's, not 0",
        ),
        (
            lambda s: imported(s, Choice(formats={"layers.2.q_proj": "int8"})),
            "formats names 'layers.2.q_proj', which is no matrix of this model",
        ),
        (
            lambda s: Choice(weights="block:4:32"),
            "weight format 'block:4:32' is only taken over from a file that has it; expected "
            "'native', int4 to int8, or trits:1 to trits:5",
        ),
        (lambda s: Choice(smoothing=2), "smoothing must be 0 to 1, not 2"),
    ],
)
def test_what_is_refused(call, message):
    with pytest.raises(UserError) as caught:
        call(random_source(1))
    assert str(caught.value) == message
