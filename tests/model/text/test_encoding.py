"""Tokens of a corpus: parts give those of the whole, foreign characters have a place."""

from __future__ import annotations

import pytest

from gateformer.model.support.errors import UserError
from gateformer.model.text import encoding
from gateformer.model.text.codec import TextCodec
from gateformer.model.text.corpus import Corpus
from gateformer.model.text.encoding import encode_corpus
from gateformer.model.text.readers.gguf_metadata import codec_of_metadata
from gateformer.model.text.readers.gguf_splits import SPLITS
from gateformer.model.text.readers.sentencepiece import codec_of_model
from tests.support.checkpoints.gguf_vocabulary import byte_level, sentencepiece_model
from tests.support.text_lines import files, lines


def corpus(text: str) -> Corpus:
    return Corpus(text, "text.txt", "")


TEXTS = {
    "prose and code": "".join(text[:3000] for text in files()[:10]),
    "anything": "\n".join(lines(900)[:300]),
    "no place to cut": "x" * 9000,
    "spaces": " \n  \n\n" * 900,
}


@pytest.fixture(
    params=[*{splits: pre for pre, splits in SPLITS.items()}.values(), "bpe", "unigram"]
)
def codec(request) -> TextCodec:
    if request.param not in SPLITS:
        return codec_of_model("m", sentencepiece_model(request.param), {}, {})
    tokens, merges = byte_level()
    settings = {"model": "gpt2", "pre": request.param, "tokens": tokens, "merges": merges}
    return codec_of_metadata("m", {f"tokenizer.ggml.{k}": v for k, v in settings.items()})


@pytest.mark.parametrize("name", TEXTS)
def test_parts_have_the_tokens_of_the_whole(monkeypatch, codec, name):
    monkeypatch.setattr(encoding, "PART", 1000)
    seen, text = [], TEXTS[name]
    ids, skipped = encode_corpus(codec, corpus(text), progress=lambda *of: seen.append(of))
    assert (ids, skipped) == (codec.encode(text), 0)
    assert seen[-1] == (len(text), len(text)) and seen == sorted(seen)
    if name == "prose and code":
        assert len(seen) > len(text) // 2000


def test_the_rest_of_a_text_is_left_if_that_is_enough(monkeypatch):
    monkeypatch.setattr(encoding, "PART", 4)
    letters = TextCodec.of_characters("abcd")
    seen = []
    ids, _ = encode_corpus(
        letters, corpus("abcd" * 9), enough=6, progress=lambda *of: seen.append(of)
    )
    assert ids == [0, 1, 2, 3] * 2 and seen == [(4, 36), (8, 36)]


@pytest.mark.parametrize("size", [2, 1000])
def test_characters_are_refused_with_their_place_or_counted(monkeypatch, size):
    monkeypatch.setattr(encoding, "PART", size)
    letters = TextCodec.of_characters(["a", "b", "\n", ""])
    text = corpus("ab\nba\nbaXabY\n")
    with pytest.raises(
        UserError, match=r"^character 'X' at line 3, column 3 of text.txt is not in"
    ):
        encode_corpus(letters, text)
    ids, skipped = encode_corpus(letters, text, skip_unknown=True)
    assert letters.decode(ids) == b"ab\nba\nbaab\n" and skipped == 2
