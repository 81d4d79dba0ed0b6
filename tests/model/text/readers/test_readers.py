"""Readers of other programs' tokenizers: the source's tokens, pieces that spell every text."""

from __future__ import annotations

import collections
import os
import pickle
from pathlib import Path

import pytest

from gateformer.model.support.errors import UserError
from gateformer.model.text.codec import TextCodec
from gateformer.model.text.codec_arrays import from_arrays, to_arrays
from gateformer.model.text.readers.hugging_face import read_directory
from gateformer.model.text.readers.nanogpt import read_meta

TEXTS = ["Hello, it's 12345 o'clock", "  two\n\n\tspaces  ", "日本語 и 😀", "<|endoftext|>", ""]


@pytest.fixture(scope="module")
def gpt2_directory() -> Path:
    data = os.environ.get("GATEFORMER_DATA")
    if not data or not (Path(data) / "gpt2-tokenizer").is_dir():
        pytest.skip("GATEFORMER_DATA has no gpt2-tokenizer")
    return Path(data) / "gpt2-tokenizer"


def test_gpt2_has_the_tokens_of_transformers(gpt2_directory):
    transformers = pytest.importorskip("transformers")
    source = transformers.GPT2Tokenizer(
        str(gpt2_directory / "vocab.json"), str(gpt2_directory / "merges.txt")
    )
    codec = read_directory(gpt2_directory, 50304)
    assert len(codec.pieces) == 50304 and codec.pieces[50257:] == (b"",) * 47
    assert (codec.bos, codec.eos, codec.stop, codec.add_bos) == (50256, 50256, (50256,), False)
    for text in TEXTS:
        assert codec.encode(text, special=True) == source.encode(text), text
        assert codec.decode(codec.encode(text)).decode() == text
        assert "".join(codec.stream(codec.encode(text))) == text


def test_arrays_give_the_codec_again(gpt2_directory):
    codec = read_directory(gpt2_directory)
    assert from_arrays(*to_arrays(codec)) == codec


def test_damaged_ends_are_named():
    arrays, facts = to_arrays(TextCodec.of_characters("abc"))
    arrays["vocabulary.ends"] = arrays["vocabulary.ends"][:2]
    with pytest.raises(UserError, match=r"^vocabulary.ends ends at 2, but .* has 3 bytes$"):
        from_arrays(arrays, facts)


def test_a_directory_without_a_tokenizer_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"has no tokenizer; expected tokenizer\.json"):
        read_directory(tmp_path)


def test_merges_of_unknown_pieces_are_named(tmp_path):
    (tmp_path / "vocab.json").write_text('{"a": 0, "b": 1, "ab": 2}')
    (tmp_path / "merges.txt").write_text("#version: 0.2\na b\na c\n")
    with pytest.raises(UserError, match=r"line 3: 'a c' is not two pieces of vocab\.json"):
        read_directory(tmp_path)


def test_meta_is_read_and_padded(tmp_path):
    path = tmp_path / "meta.pkl"
    path.write_bytes(pickle.dumps({"stoi": {"a": 0, "é": 1}, "itos": {0: "a", 1: "é"}}))
    codec = read_meta(path, 4)
    assert codec.pieces == (b"a", "é".encode(), b"", b"")
    assert codec.decode(codec.encode("éa")).decode() == "éa"


def test_a_pickle_with_a_class_is_refused(tmp_path):
    path = tmp_path / "meta.pkl"
    path.write_bytes(pickle.dumps(collections.OrderedDict(stoi={}, itos={})))
    with pytest.raises(UserError, match=r"is refused: it holds collections\.OrderedDict; expected"):
        read_meta(path)


def test_bos_of_the_post_processor_is_added(tmp_path):
    tokenizers = pytest.importorskip("tokenizers")
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE({"a": 0, "<s>": 1}, []))
    tokenizer.add_special_tokens(["<s>"])
    (tmp_path / "tokenizer_config.json").write_text('{"bos_token": "<s>"}')
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    assert not read_directory(tmp_path).add_bos
    tokenizer.post_processor = tokenizers.processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", 1)]
    )
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    assert read_directory(tmp_path).add_bos
