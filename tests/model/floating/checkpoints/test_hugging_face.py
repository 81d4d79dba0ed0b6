"""Hugging Face directories: the logits of transformers' own models."""

import numpy as np
import pytest
import torch

from gateformer.model.floating.checkpoints.opening import open_source
from gateformer.model.floating.decoder import FloatDecoder
from tests.support.checkpoints.decoder_files import (
    gpt2_model,
    llama_model,
    neox_model,
    save,
    tokens_and_logits,
)

pytest.importorskip("transformers")
torch.set_num_threads(1)

QWEN2 = ("Qwen2Config", "Qwen2ForCausalLM")
LLAMA3 = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
    "rope_theta": 500.0,
}
MODELS = {
    "gpt2": lambda: gpt2_model(),
    "gpt2, own head": lambda: gpt2_model(tie_word_embeddings=False),
    "gpt2, wide, gelu": lambda: gpt2_model(n_inner=50, activation_function="gelu"),
    "llama": lambda: llama_model(),
    "llama, tied": lambda: llama_model(tie_word_embeddings=True),
    "llama, biases": lambda: llama_model(attention_bias=True, mlp_bias=True),
    "llama, base": lambda: llama_model(rope_theta=100.0, rms_norm_eps=1e-2),
    "llama, relu": lambda: llama_model(hidden_act="relu"),
    "llama, linear": lambda: llama_model(
        rope_parameters={"rope_type": "linear", "factor": 4.0, "rope_theta": 50.0}
    ),
    "llama, llama3": lambda: llama_model(rope_parameters=LLAMA3),
    "mistral": lambda: llama_model("MistralConfig", "MistralForCausalLM", sliding_window=None),
    "mistral, window beyond": lambda: llama_model(
        "MistralConfig", "MistralForCausalLM", sliding_window=64
    ),
    "qwen2": lambda: llama_model(*QWEN2, head_dim=4),
    "qwen2, tied": lambda: llama_model(*QWEN2, head_dim=4, tie_word_embeddings=True),
    "neox": lambda: neox_model(),
    "neox, no attention bias": lambda: neox_model(attention_bias=False),
}


def check(directory, tokens, expected, within=1e-4):
    source = open_source(directory)
    assert np.abs(expected).max() > 0.5
    got = FloatDecoder(source).logits(tokens)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, expected, rtol=0, atol=within)
    return source


@pytest.mark.parametrize("name", MODELS)
def test_logits_are_those_of_transformers(tmp_path, name):
    model = MODELS[name]()
    source = check(save(model, tmp_path / "it"), *tokens_and_logits(model))
    assert (source.name, source.kind) == ("it", "Hugging Face directory")
    assert source.n_parameters == sum(p.numel() for p in model.parameters())
    assert list(source.tensors) == list(source.shape.tensor_shapes())


@pytest.mark.parametrize("name", ["gpt2", "llama", "qwen2, tied"])
def test_shards(tmp_path, name):
    model = MODELS[name]()
    save(model, tmp_path, max_shard_size="10KB")
    assert len(list(tmp_path.glob("*.safetensors"))) > 1
    check(tmp_path, *tokens_and_logits(model))


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", ["gpt2", "llama, biases"])
def test_half_precision_is_read_exactly(tmp_path, name, kind):
    model = MODELS[name]().to(kind)
    save(model, tmp_path)
    # read anew: to(kind) rounds transformers' own table of RoPE, too
    reference = type(model).from_pretrained(tmp_path, dtype=torch.float32).eval()
    check(tmp_path, *tokens_and_logits(reference))


def test_names_without_their_prefix(tmp_path):
    import safetensors.torch

    model = MODELS["llama"]()
    save(model, tmp_path)
    path = tmp_path / "model.safetensors"
    tensors = safetensors.torch.load_file(path)
    renamed = {name.removeprefix("model."): tensor for name, tensor in tensors.items()}
    safetensors.torch.save_file(renamed, path)
    check(tmp_path, *tokens_and_logits(model))


def test_old_rope_settings(tmp_path):
    import json

    model = MODELS["llama, llama3"]()
    save(model, tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    rope = config.pop("rope_parameters")
    config["rope_theta"] = rope.pop("rope_theta")
    config["rope_scaling"] = rope
    (tmp_path / "config.json").write_text(json.dumps(config))
    check(tmp_path, *tokens_and_logits(model))
