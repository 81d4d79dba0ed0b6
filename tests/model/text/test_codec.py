"""Codecs: round trips, streams of whole characters, special texts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateformer.model.support.errors import UserError
from gateformer.model.text.codec import TextCodec
from gateformer.model.text.codec_arrays import from_arrays, to_arrays
from gateformer.model.text.readers.pieces import codec_of_json
from tests.support.imported.byte_bpe import byte_bpe


def trained() -> TextCodec:
    """A byte-level BPE of all bytes and some merges."""
    made = byte_bpe("the cat and the hat sat on the mat", ["<|end|>"])
    return codec_of_json("test", made, 310, eos=0, stop=(0,))


CODEC = trained()


@given(st.text())
def test_every_text_comes_back(text):
    ids = CODEC.encode(text)
    assert CODEC.decode(ids).decode("utf-8") == text
    assert "".join(CODEC.stream(ids)) == text


def test_special_texts_are_tokens_only_if_asked():
    assert CODEC.encode("<|end|>", special=True) == [0]
    assert 0 not in CODEC.encode("<|end|>")
    assert CODEC.decode(CODEC.encode("<|end|>")) == b"<|end|>"


def test_a_stream_waits_for_the_whole_character():
    codec = TextCodec("tokenizers", (b"\xc3", b"\xa9", b"a"), tokenizer_json=b"{}")
    assert list(codec.stream([0, 1, 2, 0])) == ["", "é", "a", "", "\ufffd"]


def test_arrays_are_deterministic_and_give_the_codec_again():
    arrays, facts = to_arrays(CODEC)
    assert from_arrays(arrays, facts) == CODEC
    with pytest.raises(UserError, match=r"^tokenizer fact bos is damaged: 'x'$"):
        from_arrays(arrays, facts | {"bos": "x"})
    with pytest.raises(UserError, match=r"^eos token 900 is outside the vocabulary of 310$"):
        from_arrays(arrays, facts | {"eos": 900})
