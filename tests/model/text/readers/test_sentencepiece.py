"""SentencePiece's tokenizer.model in a Hugging Face directory: the library's tokens and texts."""

from __future__ import annotations

import json

import pytest

from gateformer.model.support.errors import UserError
from gateformer.model.text.codec_arrays import from_arrays, to_arrays
from gateformer.model.text.readers.hugging_face import read_directory
from tests.support.checkpoints.gguf_vocabulary import sentencepiece_model
from tests.support.text_lines import lines

sentencepiece = pytest.importorskip("sentencepiece")
CONFIG = {
    "bos_token": "<s>",
    "eos_token": {"content": "</s>"},
    "added_tokens_decoder": {
        "700": {"content": "<|im_end|>", "special": True},
        "701": {"content": "<own word>", "special": False},
    },
}


def directory(path, kind="bpe", config=CONFIG, **options):
    (path / "tokenizer.model").write_bytes(sentencepiece_model(kind, **options))
    (path / "tokenizer_config.json").write_text(json.dumps(config))
    return path


@pytest.mark.parametrize("kind", ["bpe", "unigram"])
@pytest.mark.parametrize("options", [{}, {"add_dummy_prefix": False}, {"byte_fallback": False}])
def test_tokens_and_texts_are_the_librarys(tmp_path, kind, options):
    codec = read_directory(directory(tmp_path, kind, **options), 710)
    model = sentencepiece_model(kind, **options)
    processor = sentencepiece.SentencePieceProcessor(model_proto=model)
    known = set("".join(processor.id_to_piece(i) for i in range(processor.get_piece_size())))
    for text in lines(3000)[::5]:
        for token in ("<|im_end|>", "<own word>"):
            text = text.replace(token, "")
        ids = codec.encode(text)
        assert ids == processor.encode(text)
        if options.get("byte_fallback", True) or set(text) <= known:
            assert codec.decode([codec.bos, *ids]).decode() == processor.decode(ids)
    assert codec.strip_first_space == options.get("add_dummy_prefix", True)
    assert from_arrays(*to_arrays(codec)) == codec


def test_added_tokens_and_settings(tmp_path):
    (tmp_path / "generation_config.json").write_text('{"eos_token_id": [2, 700]}')
    codec = read_directory(directory(tmp_path), 710)
    assert (codec.bos, codec.eos, codec.stop, codec.add_bos) == (1, 2, (2, 700), True)
    the = codec.encode("the")
    assert codec.encode("the<own word>the") == [*the, 701, *the]
    assert codec.encode("the<|im_end|>the", special=True) == [*the, 700, *the]
    assert 700 not in codec.encode("<|im_end|>") and codec.encode("<s>", special=True) == [1]
    assert codec.pieces[700:703] == (b"", b"<own word>", b"")
    assert not read_directory(directory(tmp_path, config={"add_bos_token": False}), 710).add_bos


def test_tokens_of_the_user_in_the_model_are_left_to_it(tmp_path):
    config = {"added_tokens_decoder": {"3": {"content": "<mine>", "special": False}}}
    options = {"user_defined_symbols": "<mine>"}
    codec = read_directory(directory(tmp_path, config=config, **options))
    processor = sentencepiece.SentencePieceProcessor(model_proto=codec.sentencepiece)
    assert processor.id_to_piece(3) == "<mine>" and codec.added == ()
    assert codec.encode("a<mine>b") == processor.encode("a<mine>b")
    assert codec.decode(codec.encode("a<mine>b")) == b"a<mine>b"


def test_tokens_beyond_the_model_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"tokenizer\.model has token 701, but the model has 700; "):
        read_directory(directory(tmp_path), 700)


@pytest.mark.parametrize(
    "damaged",
    [
        lambda model: b"",
        lambda model: model[:-40],
        lambda model: model.replace("▁the".encode(), b"\xff" * 6, 1),
        lambda model: b"IQ== 0\nIg== 1\n",  # tiktoken's
    ],
)
def test_a_damaged_model_is_refused(tmp_path, damaged):
    (tmp_path / "tokenizer.model").write_bytes(damaged(sentencepiece_model()))
    with pytest.raises(
        UserError, match=r"tokenizer\.model is no SentencePiece model, or it is dam"
    ):
        read_directory(tmp_path)


def test_an_added_token_without_a_text_is_named(tmp_path):
    config = {"added_tokens_decoder": {"700": {"special": True}}}
    with pytest.raises(
        UserError, match=r"added_tokens_decoder has '700': \{'special': True\}; exp"
    ):
        read_directory(directory(tmp_path, config=config))
