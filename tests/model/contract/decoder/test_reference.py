"""Contract version 2: the reference, token by token and window by window, and its file."""

import numpy as np
import pytest

from gateformer.model.contract import artifact
from gateformer.model.contract.artifact import load, open_model, save
from gateformer.model.contract.choices import Bits
from gateformer.model.contract.config import ModelConfig
from gateformer.model.contract.decoder.random_decoder import random_decoder
from gateformer.model.contract.decoder.reference import DecoderReference, window_logits
from gateformer.model.contract.decoder.sampling import DecoderSampler, DecoderSettings
from gateformer.model.support.errors import UserError

SHAPE = {"vocab_size": 50, "d_model": 24, "n_heads": 4, "n_layers": 2, "d_ff": 40, "ctx_len": 20}
WIDE = {**SHAPE, "d_model": 64, "d_ff": 96}
BIASES = ("q_proj", "k_proj", "v_proj", "o_proj", "up_proj", "down_proj")
MODELS = {
    "llama": {
        **SHAPE,
        **{"positions": "rotary", "gated": True, "activation": "silu"},
        **{"n_kv_heads": 2, "head_dim": 10, "tied_head": False},
    },
    "gpt2": {**SHAPE, "norm": "layer", "norm_bias": True, "activation": "gelu", "bias": BIASES},
    "blocks": {**WIDE, "weights": "block:4:32:min", "head": "block:8:32"},
    "small blocks": {**WIDE, "weights": "block:6:16", "positions": "rotary", "norm": "layer"},
    "trits": {**SHAPE, "weights": "trits:3", "activation": "gelu_tanh"},
    "odd bits": {**SHAPE, "weights": "int5", "head": "int6", "bias": ("gate_proj",), "gated": True},
}


@pytest.fixture(params=MODELS)
def model(request):
    return random_decoder(7, **MODELS[request.param])


def tokens(model, *shape):
    return np.random.default_rng(3).integers(0, model.config.vocab_size, shape)


def test_any_number_of_tokens_at_a_time_gives_the_same(model):
    window = tokens(model, 15)
    expected = window_logits(model, [window])[0]
    reference = DecoderReference(model)
    assert np.array_equal([reference.step(token) for token in window], expected)
    reference.reset()
    parts = [reference.feed(part) for part in np.split(window, [4, 5, 11])]
    assert np.array_equal(np.concatenate(parts), expected)
    assert len(np.unique(expected)) > expected.size // 2  # it is no saturated constant


def test_a_file_holds_the_whole_model(model, tmp_path):
    path = tmp_path / "model.safetensors"
    save(path, model, info={"source": "nobody"})
    loaded = load(path)
    assert loaded.model.digest == model.digest
    assert loaded.model.config == model.config
    window = tokens(model, 1, 9)
    assert np.array_equal(window_logits(loaded.model, window), window_logits(model, window))
    save(tmp_path / "again", loaded.model, info={"source": "nobody"})
    assert (tmp_path / "again").read_bytes() == path.read_bytes()
    assert open_model(path, imported=True).info == {"source": "nobody"}
    told = r"is of number contract version 2 .* for models of version 1 only$"
    with pytest.raises(UserError, match=told):
        open_model(path)


def test_a_flipped_byte_is_damage(tmp_path):
    path = tmp_path / "model.safetensors"
    save(path, random_decoder(7, **MODELS["llama"]))
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match="is damaged: its digest is"):
        load(path)


def test_taps_come_in_order_and_agree_with_the_counts():
    model = random_decoder(7, **MODELS["llama"])
    names = []
    reference = DecoderReference(model, lambda name, value: names.append(name))
    reference.feed(tokens(model, 5))
    layer = ["attn_norm", "v", "q", "k", "scores", "probabilities", "attn", "attn_residual"]
    layer += ["ffn_norm", "gate", "up", "hidden", "ffn_residual"]
    expected = [f"layers.{i}.{name}" for i in range(2) for name in layer]
    assert names == ["embed", *expected, "final_norm", "logits"]
    untold = {"scores", "probabilities"}
    counted = {name for name in names if name.rsplit(".", 1)[-1] not in untold}
    assert set(reference.saturations) == counted


def test_limits_of_a_stage_are_counted():
    model = random_decoder(7, **SHAPE)
    object.__setattr__(model.layers[0], "hidden_shift", 0)
    object.__setattr__(model.layers[1], "hidden_shift", 20)
    reference = DecoderReference(model)
    reference.feed(tokens(model, 20))
    limited, values = reference.saturations["layers.0.hidden"]
    assert values == 20 * 40
    assert values // 10 < limited < values
    assert reference.saturations["layers.1.hidden"] == [0, values]


def test_too_many_tokens_are_refused():
    reference = DecoderReference(random_decoder(7, **SHAPE))
    reference.feed([1] * 20)
    with pytest.raises(UserError, match="the context of 20 tokens is full; start a new sequence"):
        reference.step(1)
    with pytest.raises(UserError, match="token 50 is outside the vocabulary of 50"):
        DecoderReference(reference.model).step(50)


def test_top_p_keeps_the_smallest_set_that_reaches_it():
    settings = DecoderSettings.from_user(
        temperature=1, top_k=None, top_p=0.6, seed=5, logit_scale=2**-10, vocab_size=4
    )
    logits = np.log([0.1, 0.4, 0.2, 0.3]) * 2**10
    sampler = DecoderSampler(settings)
    drawn = np.bincount([sampler.choose(np.rint(logits)) for _ in range(4000)], minlength=4)
    assert drawn[0] == drawn[2] == 0
    assert drawn[1] / drawn[3] == pytest.approx(4 / 3, rel=0.15)


def test_one_token_stays_however_small_top_p_is():
    settings = DecoderSettings(temperature_mult=1, top_p=1)
    assert {DecoderSampler(settings).choose([5, 9, 9, 1]) for _ in range(20)} == {1}


@pytest.mark.parametrize("top_p", [0, -0.5, 1.5, float("nan"), True])
def test_top_p_is_a_fraction(top_p):
    with pytest.raises(UserError, match="top-p must be above 0 and at most 1"):
        DecoderSettings.from_user(
            temperature=1, top_k=0, top_p=top_p, seed=1, logit_scale=1.0, vocab_size=4
        )


def test_older_versions_still_load():
    assert {1} == {open_model(name).model.config.spec_version for name in artifact.shipped_models()}


def test_logits_of_the_usual_width_leave_the_digest_as_it_was():
    """Artifacts from before the width was a choice do not name it, and are still whole."""
    usual, narrow = (
        random_decoder(7, **MODELS["llama"], bits=Bits(logit=width)).config for width in (32, 16)
    )
    assert "logit" not in usual.to_dict()["bits"] and narrow.to_dict()["bits"]["logit"] == 16
    for config in (usual, narrow):
        assert ModelConfig.from_dict(config.to_dict()) == config
