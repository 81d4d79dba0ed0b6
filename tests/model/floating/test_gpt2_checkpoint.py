"""GPT-2 checkpoints: equal to Hugging Face's own model, and refused by name if they are others."""

import json

import numpy as np
import pytest
import torch

from gateformer.model.exports.source import open_source
from gateformer.model.floating.gpt2_checkpoint import load_gpt2
from gateformer.model.support.errors import UserError
from tests.support.checkpoints.gpt2_files import gpt2_tensors, write_gpt2

torch.set_num_threads(1)


def load(directory):
    return load_gpt2(directory / "config.json", directory / "model.safetensors")


def message(directory):
    with pytest.raises(UserError) as error:
        load(directory)
    return str(error.value).replace(f"{directory}/", "")


@pytest.mark.parametrize("activation", ["gelu_new", "gelu", "relu", "gelu_pytorch_tanh"])
def test_equal_to_the_model_of_transformers(tmp_path, activation):
    transformers = pytest.importorskip("transformers")
    directory = write_gpt2(tmp_path / "gpt2", activation_function=activation)
    reference = transformers.GPT2LMHeadModel.from_pretrained(directory).eval()
    tokens = torch.randint(0, 31, (3, 20), generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        expected, got = reference(tokens).logits, load(directory)(tokens)
    assert expected.abs().max() > 1
    assert torch.allclose(got, expected, rtol=0, atol=1e-5)


def test_checkpoint_that_transformers_wrote(tmp_path):
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.GPT2Config(
        vocab_size=31,
        n_embd=24,
        n_head=3,
        n_layer=1,
        n_positions=20,
        bos_token_id=0,
        eos_token_id=0,
    )
    reference = transformers.GPT2LMHeadModel(config).eval()
    reference.save_pretrained(tmp_path)
    tokens = torch.randint(0, 31, (2, 13))
    with torch.inference_mode():
        expected = reference(tokens).logits
        assert torch.allclose(load(tmp_path)(tokens), expected, rtol=0, atol=1e-6)


def test_weights_file_with_its_config_beside_it(tmp_path):
    directory = write_gpt2(tmp_path / "gpt2")
    (directory / "vocab.json").write_text(json.dumps({"b": 1, "a": 0}))
    by_file = open_source(str(directory / "model.safetensors"))
    by_directory = open_source(str(directory))
    assert by_directory.name == "gpt2"
    assert json.loads(by_directory.facts["vocabulary"]) == ["a", "b"]
    assert by_file.integer is None
    for one, other in zip(
        by_file.load_float().parameters(), by_directory.load_float().parameters(), strict=True
    ):
        assert torch.equal(one, other)


def test_half_precision_old_buffers_and_a_copied_head(tmp_path):
    tensors = {
        name.removeprefix("transformer."): value.half() for name, value in gpt2_tensors().items()
    }
    tensors["h.0.attn.bias"] = torch.ones(1, 1, 20, 20).tril()
    tensors["h.0.attn.masked_bias"] = torch.tensor(-1e4)
    tensors["lm_head.weight"] = tensors["wte.weight"].clone()
    model = load(write_gpt2(tmp_path / "gpt2", tensors))
    assert np.array_equal(model.token_embedding.detach(), tensors["wte.weight"].float())


@pytest.mark.parametrize(
    "settings, text",
    [
        (
            {"activation_function": "relu6"},
            "config.json: activation_function 'relu6' is not supported; "
            "expected one of gelu_new, gelu_pytorch_tanh, gelu, relu, silu, swish",
        ),
        (
            {"scale_attn_by_inverse_layer_idx": True},
            "config.json: scale_attn_by_inverse_layer_idx True is not supported; expected False",
        ),
        (
            {"model_type": "llama"},
            "config.json: model_type 'llama' is not supported; expected 'gpt2'",
        ),
        (
            {"tie_word_embeddings": False},
            "config.json: tie_word_embeddings False is not supported; expected True",
        ),
        ({"n_embd": "24"}, "config.json: n_embd must be an integer of at least 1, not '24'"),
        (
            {"n_head": 5},
            "config.json: n_heads must divide d_model, but 5 does not divide 24; "
            "choose one of 1, 2, 3, 4, 6, 8, 12, 24",
        ),
        (
            {"layer_norm_epsilon": 0},
            "config.json: layer_norm_epsilon must be a positive number, not 0",
        ),
        (
            {"n_positions": 21},
            "model.safetensors: tensor wpe.weight must have shape (21, 24), not (20, 24)",
        ),
    ],
)
def test_settings_that_are_not_supported(tmp_path, settings, text):
    assert message(write_gpt2(tmp_path / "gpt2", **settings)) == text


def test_missing_setting(tmp_path):
    directory = write_gpt2(tmp_path / "gpt2")
    (directory / "config.json").write_text(json.dumps({"model_type": "gpt2"}))
    assert (
        message(directory)
        == "config.json: vocab_size is missing; add it, or get the file from its source again"
    )


def without(tensors):
    del tensors["transformer.h.1.mlp.c_fc.bias"]


def misshapen(tensors):
    name = "transformer.h.0.attn.c_attn.weight"
    tensors[name] = tensors[name].T.contiguous()


def foreign(tensors):
    tensors["transformer.h.0.crossattention.c_attn.weight"] = torch.zeros(2)


def untied(tensors):
    tensors["lm_head.weight"] = tensors["transformer.wte.weight"] + 1


def infinite(tensors):
    tensors["transformer.h.1.ln_2.bias"][3] = float("nan")


def quantized(tensors):
    tensors["transformer.wte.weight"] = torch.zeros(31, 24, dtype=torch.int8)


@pytest.mark.parametrize(
    "change, text",
    [
        (without, "tensor h.1.mlp.c_fc.bias is missing"),
        (misshapen, "tensor h.0.attn.c_attn.weight must have shape (24, 72), not (72, 24)"),
        (
            foreign,
            "tensor h.0.crossattention.c_attn.weight is not supported; it is none of GPT-2's",
        ),
        (untied, "tensor lm_head.weight differs from wte.weight; only a tied head is supported"),
        (quantized, "tensor wte.weight must hold floats, not int8"),
        (infinite, "tensor h.1.ln_2.bias holds numbers that are not finite"),
    ],
)
def test_tensors_that_do_not_fit(tmp_path, change, text):
    tensors = gpt2_tensors()
    change(tensors)
    assert message(write_gpt2(tmp_path / "gpt2", tensors)) == f"model.safetensors: {text}"


def test_damaged_files(tmp_path):
    directory = write_gpt2(tmp_path / "gpt2")
    (directory / "model.safetensors").write_bytes(b"short")
    assert message(directory) == "model.safetensors is no safetensors file, or it is truncated"
    (directory / "model.safetensors").unlink()
    with pytest.raises(UserError) as error:
        open_source(str(directory))
    assert str(error.value) == (
        f"{directory} has no model.safetensors; expected a GPT-2 checkpoint: config.json and "
        "model.safetensors (one, not in shards)"
    )
    (directory / "config.json").write_text("[]")
    assert message(directory) == "config.json: the content must be a JSON object, not []"


def test_vocabulary_with_gaps(tmp_path):
    directory = write_gpt2(tmp_path / "gpt2")
    (directory / "vocab.json").write_text('{"a": 0, "b": 2}')
    with pytest.raises(UserError) as error:
        open_source(str(directory))
    assert str(error.value) == f"{directory}/vocab.json must number its tokens 0 to 1"
