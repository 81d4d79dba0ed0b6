"""Readers of other programs' tokenizers: the source's tokens, pieces that spell every text."""

from __future__ import annotations

import collections
import json
import os
import pickle
from pathlib import Path

import pytest

from gateformer.model.support.errors import UserError
from gateformer.model.text.codec import TextCodec
from gateformer.model.text.codec_arrays import from_arrays, to_arrays
from gateformer.model.text.readers.hugging_face import read_directory
from gateformer.model.text.readers.nanogpt import read_meta
from gateformer.model.text.readers.pieces import codec_of_json

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


def test_a_unigram_model_has_the_texts_of_tokenizers(tmp_path):
    tokenizers = pytest.importorskip("tokenizers")
    tokenizer = tokenizers.Tokenizer(tokenizers.models.Unigram())
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Metaspace()
    tokenizer.decoder = tokenizers.decoders.Metaspace()
    trainer = tokenizers.trainers.UnigramTrainer(
        vocab_size=60, special_tokens=["<unk>", "<s>"], unk_token="<unk>", show_progress=False
    )
    text = "the cat and the hat sat on the mat, and the dog ate that"
    tokenizer.train_from_iterator([text] * 9, trainer)
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    codec = read_directory(tmp_path, 64)
    ids = codec.encode(text)
    assert ids == tokenizer.encode(text).ids and len(ids) < len(text)
    assert codec.decode(ids).decode() == tokenizer.decode(ids) == text
    assert codec.strip_first_space and codec.special == ((0, "<unk>"), (1, "<s>"))


@pytest.mark.parametrize(
    "decoder, strips",
    [
        ({"type": "Metaspace", "replacement": "▁", "prepend_scheme": "never"}, False),
        ({"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first"}, True),
        ({"type": "Metaspace", "replacement": "▁", "add_prefix_space": False}, False),
        ({"type": "Sequence", "decoders": [{"type": "Fuse"}]}, False),
        (
            {
                "type": "Sequence",
                "decoders": [{"type": "Strip", "content": " ", "start": 1, "stop": 0}],
            },
            True,
        ),
        (None, False),
    ],
)
def test_the_decoder_says_whether_the_first_space_goes(decoder, strips):
    content = {"model": {"type": "BPE", "vocab": {"▁a": 0}, "merges": []}, "decoder": decoder}
    assert codec_of_json("t", json.dumps(content).encode()).strip_first_space == strips


def test_other_kinds_of_models_are_named():
    content = b'{"model": {"type": "WordPiece", "vocab": {"a": 0}}}'
    with pytest.raises(UserError, match=r"^t has a WordPiece model; expected BPE or Unigram$"):
        codec_of_json("t", content)


def test_the_file_of_the_chat_template_goes_before_the_setting(tmp_path):
    pytest.importorskip("tokenizers")
    (tmp_path / "vocab.json").write_text('{"a": 0}')
    (tmp_path / "merges.txt").write_text("#version: 0.2\n")
    several = [{"name": "tool_use", "template": "t"}, {"name": "default", "template": "d"}]
    for setting, expected in (("s", "s"), (several, "d"), (several[:1], None), (None, None)):
        config = json.dumps({"chat_template": setting})
        (tmp_path / "tokenizer_config.json").write_text(config)
        assert read_directory(tmp_path).chat_template == expected
    (tmp_path / "chat_template.jinja").write_text("{{ é }}", encoding="utf-8")
    assert read_directory(tmp_path).chat_template == "{{ é }}"
