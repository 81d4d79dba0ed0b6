"""Hugging Face directories that are refused: one line each, with the setting, file or tensor."""

import json

import pytest
import safetensors.torch
import torch

from gateformer.model.floating.checkpoints.opening import EXPECTED, open_source
from gateformer.model.support.errors import UserError
from tests.support.checkpoints.decoder_files import gpt2_model, llama_model, neox_model, save

pytest.importorskip("transformers")
torch.set_num_threads(1)


@pytest.fixture(scope="module")
def models():
    return {"llama": llama_model(), "gpt2": gpt2_model(), "gpt_neox": neox_model()}


def message(path):
    with pytest.raises(UserError) as error:
        dict(open_source(path).tensors)
    assert "\n" not in str(error.value)
    return str(error.value).replace(str(path), "DIR")


def written(models, directory, kind="llama", settings=None, tensors=None):
    """A model's directory with changes; None deletes."""
    save(models[kind], directory)
    config = json.loads((directory / "config.json").read_text()) | (settings or {})
    config = {name: value for name, value in config.items() if value != "DELETE"}
    (directory / "config.json").write_text(json.dumps(config))
    path = directory / "model.safetensors"
    stored = safetensors.torch.load_file(path) | (tensors or {})
    stored = {name: tensor for name, tensor in stored.items() if tensor is not None}
    safetensors.torch.save_file(stored, path)
    return directory


def refused(name, feature):
    return f"{name} means {feature}, which is not supported; choose a model without"


WINDOW = (
    "sliding_window 8 is less than max_position_embeddings 64, and sliding windows are not "
    "supported; choose a model without"
)
MISTRAL = {"model_type": "mistral", "max_position_embeddings": 8192}
SETTINGS = {
    "experts": ({"num_local_experts": 8}, refused("num_local_experts 8", "a mixture of experts")),
    "QK-norm": ({"use_qk_norm": True}, refused("use_qk_norm True", "QK-norm")),
    "ALiBi": ({"alibi": True}, refused("alibi True", "ALiBi")),
    "multi-modal": ({"vision_config": {"a": 1}}, refused("vision_config", "a multi-modal model")),
    "softcapping": (
        {"final_logit_softcapping": 30.0},
        refused("final_logit_softcapping 30.0", "softcapping"),
    ),
    "parallel": ({"parallel_attn": True}, refused("parallel_attn True", "a parallel residual")),
    "quantized": ({"quantization_config": {}}, refused("quantization_config", "quantized weights")),
    "partial": (
        {"partial_rotary_factor": 0.5},
        refused("partial_rotary_factor 0.5", "RoPE of a part of each head"),
    ),
    "partial, new": (
        {"rope_parameters": {"partial_rotary_factor": 0.5}},
        "RoPE of a part (0.5) of each head is not supported; expected of all, 1.0",
    ),
    "window": ({"sliding_window": 8}, WINDOW),
    "window of some layers": (
        {
            **{"model_type": "qwen2", "use_sliding_window": True, "sliding_window": 8},
            **{"layer_types": ["full_attention", "sliding_attention"]},
        },
        WINDOW,
    ),
    "window by default": (
        MISTRAL,
        "sliding_window 4096 is less than max_position_embeddings 8192, and sliding windows are "
        "not supported; choose a model without",
    ),
    "layers of another kind": (
        {"layer_types": ["full_attention", "linear_attention"]},
        "layer_types has 'linear_attention', which is not supported; expected full_attention",
    ),
    "RoPE": (
        {"rope_parameters": {"rope_type": "yarn", "factor": 4.0}},
        "rope_parameters.rope_type 'yarn' is not supported; expected default, linear or llama3",
    ),
    "old RoPE": (
        {"rope_parameters": None, "rope_scaling": {"type": "dynamic", "factor": 4.0}},
        "rope_scaling.rope_type 'dynamic' is not supported; expected default, linear or llama3",
    ),
    "RoPE's factor": (
        {"rope_parameters": {"rope_type": "linear", "factor": -1}},
        "rope_parameters.factor must be a positive number, not -1",
    ),
    "llama3's factors": (
        {
            "rope_parameters": {
                **{"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 4.0},
                **{"high_freq_factor": 4.0, "original_max_position_embeddings": 8},
            }
        },
        "rope_parameters.high_freq_factor must be above low_freq_factor 4.0, not 4.0",
    ),
    "architecture": (
        {"model_type": "gemma2"},
        "model_type 'gemma2' is not supported; expected one of gpt2, gpt_neox, llama, mistral, "
        "qwen2",
    ),
    "activation": (
        {"hidden_act": "xielu"},
        "hidden_act 'xielu' is not supported; expected one of gelu_new, gelu_pytorch_tanh, gelu, "
        "relu, silu, swish",
    ),
    "no size": (
        {"hidden_size": "DELETE"},
        "hidden_size is missing; add it, or get the file from its source again",
    ),
    "float size": (
        {"num_hidden_layers": 2.5},
        "num_hidden_layers must be an integer in 1..16777216, not 2.5",
    ),
    "huge size": (
        {"head_dim": 10**15},
        "head_dim must be an integer in 1..16777216, not 1000000000000000",
    ),
    "infinite size": ({"vocab_size": float("inf")}, "vocab_size must be a finite number, not inf"),
    "KV heads": ({"num_key_value_heads": 4}, "n_kv_heads must divide the 6 heads, not 4"),
    "odd heads": ({"head_dim": 5}, "head_dim must be even for RoPE, not 5"),
    "flag": ({"attention_bias": 1}, "attention_bias must be true or false, not 1"),
    "no type": (
        {"model_type": "DELETE"},
        "model_type is missing; add it, or get the file from its source again",
    ),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_settings(tmp_path, models, name):
    settings, expected = SETTINGS[name]
    assert message(written(models, tmp_path, settings=settings)) == f"DIR/config.json: {expected}"


OTHERS = {
    "gpt2, scale": (
        {"scale_attn_weights": False},
        refused("scale_attn_weights False", "attention without its scale"),
    ),
    "gpt2, heads": ({"n_head": 5}, "n_head must divide n_embd 24, not 5"),
    "gpt_neox, parallel": (
        {"use_parallel_residual": True},
        refused("use_parallel_residual True", "a parallel residual"),
    ),
    "gpt_neox, parallel by default": (
        {"use_parallel_residual": "DELETE"},
        "use_parallel_residual is true if it is not given, which is not supported; "
        "choose a model with false",
    ),
    "gpt_neox, partial by default": (
        {"rope_parameters": None, "rotary_pct": "DELETE"},
        "RoPE of a part (0.25) of each head is not supported; expected of all, 1.0",
    ),
}


@pytest.mark.parametrize("name", OTHERS)
def test_settings_of_other_families(tmp_path, models, name):
    settings, expected = OTHERS[name]
    directory = written(models, tmp_path, name.split(",")[0], settings)
    assert message(directory) == f"DIR/config.json: {expected}"


LAST = "model.layers.1.mlp.up_proj.weight"
ONLY = "expected only the tensors of a Llama type model"
TENSORS = {
    "missing": (
        {LAST: None},
        "DIR: tensor layers.1.mlp.up_proj.weight is missing; expected all tensors of a Llama type "
        "model: get it from its source again",
    ),
    "shape": (
        {LAST: torch.zeros(52, 25)},
        f"FILE: tensor {LAST} must have shape (52, 24), as the model's settings tell, not "
        "(52, 25); get the model from its source again",
    ),
    "unknown": (
        {"model.layers.0.mlp.fourth_proj.weight": torch.zeros(3)},
        f"FILE: tensor model.layers.0.mlp.fourth_proj.weight is not known; {ONLY}",
    ),
    "unknown prefix": (
        {"base_model.layers.0.mlp.up_proj.weight": torch.zeros(3)},
        "FILE: tensor base_model.layers.0.mlp.up_proj.weight has the unknown prefix 'base_model.'; "
        "expected layers.0.mlp.up_proj.weight",
    ),
    "bias": (
        {"model.layers.0.self_attn.q_proj.bias": torch.zeros(60)},
        "FILE: tensor model.layers.0.self_attn.q_proj.bias is a bias that the model's settings do "
        f"not tell; {ONLY}",
    ),
    "head's bias": (
        {"lm_head.bias": torch.zeros(37)},
        f"FILE: tensor lm_head.bias is a bias that the model's settings do not tell; {ONLY}",
    ),
    "QK-norm": (
        {"model.layers.0.self_attn.q_norm.weight": torch.ones(10)},
        "FILE: tensor model.layers.0.self_attn.q_norm.weight belongs to QK-norm, which is not "
        f"supported; {ONLY}",
    ),
    "experts": (
        {"model.layers.0.mlp.experts.0.up_proj.weight": torch.ones(10)},
        "FILE: tensor model.layers.0.mlp.experts.0.up_proj.weight belongs to a mixture of "
        f"experts, which is not supported; {ONLY}",
    ),
    "integers": (
        {"model.norm.weight": torch.ones(24, dtype=torch.int8)},
        "FILE: tensor model.norm.weight must hold F32, F16, BF16, not I8; save the model in one "
        "of them",
    ),
    "NaN": (
        {"model.norm.weight": torch.full((24,), torch.nan)},
        "FILE: tensor model.norm.weight holds numbers that are not finite; get the model from its "
        "source again",
    ),
    "infinite": (
        {"model.norm.weight": torch.full((24,), torch.inf, dtype=torch.bfloat16)},
        "FILE: tensor model.norm.weight holds numbers that are not finite; get the model from its "
        "source again",
    ),
}


@pytest.mark.parametrize("name", TENSORS)
def test_tensors(tmp_path, models, name):
    tensors, expected = TENSORS[name]
    got = message(written(models, tmp_path, tensors=tensors))
    assert got.replace("DIR/model.safetensors", "FILE") == expected


def test_a_head_that_is_not_tied_as_told(tmp_path, models):
    directory = written(models, tmp_path, settings={"tie_word_embeddings": True})
    assert message(directory) == (
        "DIR/model.safetensors: tensor lm_head.weight differs from model.embed_tokens.weight, "
        "though config.json has tie_word_embeddings true; say false there if the model has a head "
        "of its own"
    )


def test_truncated(tmp_path, models):
    path = written(models, tmp_path) / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-4])
    assert message(tmp_path) == (
        "DIR/model.safetensors is no safetensors file, or it is truncated; get it from its source "
        "again"
    )


def test_shards_that_are_missing(tmp_path, models):
    save(models["llama"], tmp_path, max_shard_size="10KB")
    shard = sorted(tmp_path.glob("*.safetensors"))[1]
    tensors = safetensors.torch.load_file(shard)
    name = sorted(tensors)[0]
    del tensors[name]
    safetensors.torch.save_file(tensors, shard)
    assert message(tmp_path) == (
        f"DIR/{shard.name}: tensor {name} is missing, though model.safetensors.index.json lists "
        "it; get the file from the model's source again"
    )
    shard.unlink()
    assert message(tmp_path) == (
        f"DIR/model.safetensors.index.json: the shard {shard.name} is missing beside it; get it "
        "from the model's source"
    )


def test_what_is_no_model(tmp_path, models):
    assert message(tmp_path) == (
        "DIR has no config.json; expected a model's directory as Hugging Face has it"
    )
    (tmp_path / "config.json").write_text("[1]")
    assert message(tmp_path) == "DIR/config.json: the content must be a JSON object, not [1]"
    (written(models, tmp_path) / "model.safetensors").unlink()
    assert message(tmp_path) == (
        "DIR has neither model.safetensors nor model.safetensors.index.json; expected a model in "
        "safetensors files: get them from its source"
    )
    text = tmp_path / "notes.txt"
    text.write_text("Once upon a time, there was a little girl named Lily.")
    assert message(text) == f"DIR is none of the models known here; expected {EXPECTED}"
    text.write_text("")
    assert message(text) == f"DIR is none of the models known here; expected {EXPECTED}"
    assert message(tmp_path / "absent") == (
        f"cannot read DIR: No such file or directory; expected {EXPECTED}"
    )
    weights = written(models, tmp_path) / "model.safetensors"
    assert message(weights) == (
        f"DIR is a file of a Hugging Face directory; name the directory: {tmp_path}"
    )
