"""GGUF files: the logits of the models that they were made of, and what is refused."""

import numpy as np
import pytest
import torch

from gateformer.model.floating.checkpoints.native_blocks import NativeBlocks
from gateformer.model.floating.checkpoints.opening import open_source
from gateformer.model.floating.decoder import FloatDecoder
from gateformer.model.support.errors import UserError
from tests.support.checkpoints.decoder_files import gpt2_model, llama_model, tokens_and_logits
from tests.support.checkpoints.gguf_files import settings_of, tensors_of, write

gguf = pytest.importorskip("gguf")
pytest.importorskip("transformers")
torch.set_num_threads(1)
QWEN2 = ("Qwen2Config", "Qwen2ForCausalLM")
MODELS = {
    "llama": lambda: llama_model(),
    "llama, tied": lambda: llama_model(tie_word_embeddings=True),
    "llama, biases": lambda: llama_model(attention_bias=True, mlp_bias=True),
    "qwen2": lambda: llama_model(*QWEN2, head_dim=4, rope_theta=300.0),
    "gpt2": lambda: gpt2_model(),
}


def saved(path, name, model, formats=None, tensors=None, **changes):
    settings = {**settings_of(model), **changes}
    tensors = {**tensors_of(model), **(tensors or {})}
    tensors = {name: array for name, array in tensors.items() if array is not None}
    return write(path / "m.gguf", name.split(",")[0], settings, tensors, formats)


@pytest.mark.parametrize("name", MODELS)
def test_logits_are_those_of_transformers(tmp_path, name):
    model = MODELS[name]()
    source = open_source(saved(tmp_path, name, model))
    assert (source.name, source.kind) == ("m", "GGUF file")
    assert source.n_parameters == sum(p.numel() for p in model.parameters())
    tokens, expected = tokens_and_logits(model)
    got = FloatDecoder(source).logits(tokens)
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-4)


def test_a_copy_of_the_embedding_is_a_tied_head(tmp_path):
    model = MODELS["llama, tied"]()
    copy = {"output.weight": tensors_of(model)["token_embd.weight"]}
    source = open_source(saved(tmp_path, "llama", model, tensors=copy))
    assert source.shape.tied_head and "lm_head" not in source.tensors


@pytest.mark.parametrize("kind", ["F16", "BF16"])
def test_half_precision(tmp_path, kind):
    model = MODELS["llama"]().to({"F16": torch.float16, "BF16": torch.bfloat16}[kind]).float()
    formats = {name: kind for name, array in tensors_of(model).items() if array.ndim == 2}
    source = open_source(saved(tmp_path, "llama", model, formats))
    expected = model.model.layers[1].self_attn.k_proj.weight.detach().numpy()
    np.testing.assert_array_equal(source.tensors["layers.1.k_proj"], expected)


@pytest.mark.parametrize("kind", ["Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1"])
def test_quantized_codes_are_kept_and_permuted_back(tmp_path, kind):
    model = llama_model(hidden_size=96, intermediate_size=128, head_dim=16)
    arrays = {n: a for n, a in tensors_of(model).items() if a.ndim == 2 and a.shape[1] % 32 == 0}
    source = open_source(saved(tmp_path, "llama", model, dict.fromkeys(arrays, kind)))
    qtype = gguf.GGMLQuantizationType[kind]
    for ours, theirs, module in (
        ("layers.1.k_proj", "blk.1.attn_k.weight", model.model.layers[1].self_attn.k_proj),
        ("layers.0.down_proj", "blk.0.ffn_down.weight", model.model.layers[0].mlp.down_proj),
    ):
        blocks, original = source.tensors[ours], module.weight.detach().numpy()
        assert isinstance(blocks, NativeBlocks)
        # quantization is by row: that of the rows before they were permuted is the same
        expected = gguf.quants.dequantize(gguf.quants.quantize(original, qtype), qtype)
        np.testing.assert_array_equal(blocks.dequantize(), expected)
        assert source.tensors[ours].shape == source.shape.tensor_shapes()[ours], theirs
    weights = {name: np.array(_float(value)) for name, value in source.tensors.items()}
    tokens, _ = tokens_and_logits(model)
    got = FloatDecoder(source).logits(tokens)
    np.testing.assert_array_equal(got, FloatDecoder(source.shape, weights).logits(tokens))


def _float(value):
    return value.dequantize() if isinstance(value, NativeBlocks) else value


def test_llama3_factors(tmp_path):
    model = MODELS["llama"]()
    factors = np.array([1, 1, 2, 4, 8], np.float32)
    source = open_source(saved(tmp_path, "llama", model, tensors={"rope_freqs.weight": factors}))
    expected = 10_000 ** -(np.arange(5) / 5) / factors
    np.testing.assert_allclose(source.shape.inverse_frequencies, expected, rtol=1e-6)


def test_linear_scaling(tmp_path):
    changes = {"rope.scaling.type": "linear", "rope.scaling.factor": 4.0}
    source = open_source(saved(tmp_path, "llama", MODELS["llama"](), **changes))
    expected = 10_000 ** -(np.arange(5) / 5) / 4
    np.testing.assert_allclose(source.shape.inverse_frequencies, expected, rtol=1e-6)


def message(path):
    with pytest.raises(UserError) as error:
        dict(open_source(path).tensors)
    assert "\n" not in str(error.value)
    return str(error.value).replace(str(path), "FILE")


def refused(name, feature):
    return f"FILE: llama.{name} means {feature}, which is not supported; choose a model without"


BAD_SETTINGS = {
    "experts": ({"expert_count": 8}, refused("expert_count 8", "a mixture of experts")),
    "softcapping": (
        {"final_logit_softcapping": 30.0},
        refused("final_logit_softcapping 30.0", "softcapping"),
    ),
    "ALiBi": (
        {"attention.max_alibi_bias": 8.0},
        refused("attention.max_alibi_bias 8.0", "ALiBi"),
    ),
    "parallel": (
        {"use_parallel_residual": True},
        refused("use_parallel_residual True", "a parallel residual"),
    ),
    "window": (
        {"attention.sliding_window": 32},
        "FILE: llama.attention.sliding_window 32 is less than context_length 64, and sliding "
        "windows are not supported; choose a model without",
    ),
    "scaling": (
        {"rope.scaling.type": "yarn"},
        "FILE: llama.rope.scaling.type 'yarn' is not supported; expected none or linear",
    ),
    "partial": (
        {"rope.dimension_count": 4},
        "FILE: llama.rope.dimension_count must be the 10 of each head, not 4",
    ),
    "no integer": (
        {"block_count": 2.5},
        "FILE: llama.block_count must be an integer in 1..16777216, not 2.5",
    ),
    "by layer": (
        {"attention.head_count_kv": [2, 2]},
        "FILE: llama.attention.head_count_kv must be an integer of at least 1, not [2, 2]",
    ),
    "missing": (
        {"context_length": None},
        "FILE: llama.context_length is missing; add it, or get the file from its source again",
    ),
    "KV heads": (
        {"attention.head_count_kv": 4},
        "FILE: n_kv_heads must divide the 6 heads, not 4",
    ),
    "not finite": (
        {"rope.freq_base": float("inf")},
        "FILE: llama.rope.freq_base must be a positive number, not inf",
    ),
    "multi-modal": (
        {"general.type": "mmproj"},
        "FILE is a part of a multi-modal model, which is not supported; choose a text model",
    ),
}


@pytest.mark.parametrize("name", BAD_SETTINGS)
def test_bad_settings(tmp_path, name):
    changes, expected = BAD_SETTINGS[name]
    assert message(saved(tmp_path, "llama", MODELS["llama"](), **changes)) == expected


def test_unknown_architecture(tmp_path):
    assert message(saved(tmp_path, "gemma2", MODELS["llama"]())) == (
        "FILE: general.architecture 'gemma2' is not supported; expected one of llama, qwen2, gpt2"
    )


ONES = np.ones(10, np.float32)
BAD_TENSORS = {
    "missing": (
        {"blk.1.ffn_up.weight": None},
        "FILE: tensor blk.1.ffn_up.weight is missing; expected all tensors of a Llama type "
        "model: get it from its source again",
    ),
    "no embedding": (
        {"token_embd.weight": None},
        "FILE: tensor token_embd.weight is missing; get the whole file",
    ),
    "shape": (
        {"blk.1.attn_norm.weight": ONES},
        "FILE: tensor blk.1.attn_norm.weight must have shape (24,), as the model's settings "
        "tell, not (10,); get the model from its source again",
    ),
    "QK-norm": (
        {"blk.0.attn_q_norm.weight": ONES},
        "FILE: tensor blk.0.attn_q_norm.weight belongs to QK-norm, which is not supported; "
        "expected only the tensors of a Llama type model",
    ),
    "experts": (
        {"blk.0.ffn_up_exps.weight": ONES},
        "FILE: tensor blk.0.ffn_up_exps.weight belongs to a mixture of experts, which is not "
        "supported; expected only the tensors of a Llama type model",
    ),
    "head bias": (
        {"output.bias": ONES},
        "FILE: tensor output.bias is a bias that the model's settings do not tell; "
        "expected only the tensors of a Llama type model",
    ),
    "not finite": (
        {"output_norm.weight": np.full(24, np.nan, np.float32)},
        "FILE: tensor output_norm.weight holds numbers that are not finite; "
        "get the model from its source again",
    ),
}


@pytest.mark.parametrize("name", BAD_TENSORS)
def test_bad_tensors(tmp_path, name):
    changes, expected = BAD_TENSORS[name]
    assert message(saved(tmp_path, "llama", MODELS["llama"](), tensors=changes)) == expected


def test_formats_that_are_not_known(tmp_path):
    packed = np.zeros((37, 84), np.uint8)
    formats, tensors = {"token_embd.weight": "Q2_K"}, {"token_embd.weight": packed}
    path = saved(tmp_path, "llama", MODELS["llama"](), formats, tensors)
    assert message(path) == (
        "FILE: tensor token_embd.weight must be F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, "
        "Q4_K, Q5_K, Q6_K, not Q2_K; choose a file with these"
    )


@pytest.mark.parametrize("part", [0.02, 0.5, 0.999])
def test_truncated(tmp_path, part):
    path = saved(tmp_path, "llama", MODELS["llama"]())
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * part)])
    assert message(path) == (
        "FILE is no GGUF file of version 2 or 3, or it is truncated; get it from its source again"
    )
