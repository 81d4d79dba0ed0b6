"""docs/number_contract_2.md is complete: what was written from it alone computes the same."""

import itertools

import numpy as np
import pytest

from gateformer.model.contract.artifact import save
from gateformer.model.contract.choices import Bits
from gateformer.model.contract.decoder.random_decoder import random_decoder
from gateformer.model.contract.decoder.reference import DecoderReference
from gateformer.model.contract.decoder.sampling import DecoderSampler, DecoderSettings

from . import contract_2_implementation as alone
from . import contract_2_sampling as sampling_alone

SHAPE = {"vocab_size": 21, "d_model": 16, "n_heads": 2, "n_layers": 2, "d_ff": 32, "ctx_len": 7}
GROUPED = {**SHAPE, "n_heads": 4, "n_kv_heads": 2, "head_dim": 6, "positions": "rotary"}
HEADS_OF_8 = {**SHAPE, "d_model": 32, "n_heads": 4}
BIASES = ("q_proj", "k_proj", "v_proj", "o_proj", "up_proj", "down_proj")
FORMATS = ["int8", "int5", "int6", "int4", *(f"trits:{n}" for n in range(1, 6))]
BLOCKS = ["block:4:16", "block:5:16:min", "block:6:16", "block:8:32", "block:4:32:min"]
CASES = {name: {**SHAPE, "weights": name} for name in FORMATS}
CASES |= {name: {**HEADS_OF_8, "weights": name, "head": "block:8:32"} for name in BLOCKS}
CASES |= {
    f"{activation} {gated}": {**GROUPED, "activation": activation, "gated": gated}
    for activation, gated in itertools.product(alone.ACTIVATIONS, [False, True])
}
CASES |= {
    "layer": {**GROUPED, "norm": "layer", "tied_head": False},
    "layer bias": {**SHAPE, "norm": "layer", "norm_bias": True, "bias": BIASES},
    "narrow": {**GROUPED, "bits": Bits(16, 9, 10, 11, 12, 13, 8, 14, 12), "gated": True},
    "wide": {**GROUPED, "bits": Bits(28, 16, 12, 16, 16, 16, 16, 16, 21)},
    "learned keys": {**SHAPE, "bits": Bits(20, 12, 11, 8, 10, 9, 13, 10)},
    "own head": {**GROUPED, "tied_head": False, "head": "int6", "gated": True},
}


@pytest.fixture(scope="module", params=CASES)
def both(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "model.safetensors"
    model = random_decoder(11, **CASES[request.param])
    save(path, model)
    return model, alone.read(path)


def test_digest_of_the_file(both):
    reference, decoder = both
    assert decoder.digest() == decoder.facts["digest"] == reference.digest


def test_logits_at_every_position(both):
    reference, decoder = both
    config = reference.config
    tokens = np.random.default_rng(5).integers(0, config.vocab_size, config.ctx_len).tolist()
    running = DecoderReference(reference)
    assert decoder.logits(tokens) == [running.step(token).tolist() for token in tokens]


@pytest.mark.parametrize("temperature", [0.05, 0.8, 30.0])
@pytest.mark.parametrize(("top_k", "top_p"), [(0, 1.0), (5, 1.0), (0, 0.6), (7, 0.3)])
def test_sampled_tokens(temperature, top_k, top_p):
    scale = 2.0**-8
    settings = DecoderSettings.from_user(
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        seed=9,
        logit_scale=scale,
        vocab_size=40,
    )
    mult, shift = sampling_alone.temperature(scale, temperature)
    sampler, rng = DecoderSampler(settings), sampling_alone.Random(9)
    draws = np.random.default_rng(2).integers(-900, 900, (60, 40))
    limit = round(top_p * 65536)
    for row in draws.tolist():
        assert sampling_alone.choose(row, mult, shift, top_k, limit, rng) == int(
            sampler.choose(row)
        )
