"""Characters to token ids and back."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateformer.model.support.errors import UserError
from gateformer.model.text.tokenizer import CharTokenizer


def message(function, *args):
    with pytest.raises(UserError) as error:
        function(*args)
    return str(error.value)


@given(st.text(min_size=1))
def test_decode_inverts_encode(text):
    tokenizer = CharTokenizer.from_text(text, max(len(set(text)), 5))
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_ids_are_character_codes_if_they_fit():
    tokenizer = CharTokenizer.from_text("To be\n", 128)
    assert len(tokenizer.vocabulary) == 128
    assert tokenizer.encode("To\n") == [84, 111, 10]
    assert [c for c in tokenizer.vocabulary if c] == sorted(set("To be\n"))


def test_otherwise_ids_are_indices_of_sorted_characters():
    tokenizer = CharTokenizer.from_text("zebra", 7)
    assert tokenizer.vocabulary == ("a", "b", "e", "r", "z", "", "")
    assert tokenizer.encode("zeb") == [4, 2, 1]


def test_characters_of_any_plane():
    assert CharTokenizer.from_text("aé😀", 3).vocabulary == ("a", "é", "😀")


def test_ids_without_text_decode_to_nothing():
    assert CharTokenizer(["a", "", "b"]).decode([0, 1, 2]) == "ab"


def test_too_many_characters():
    assert message(CharTokenizer.from_text, "abcdef", 5) == (
        "the text has 6 distinct characters, but vocab_size is 5; raise it to at least 6"
    )


def test_unknown_character():
    tokenizer = CharTokenizer(["a", "b", "c", "\n", "e"])
    assert message(tokenizer.encode, "abé") == (
        "character 'é' at position 2 is not in the vocabulary, which has '\\n', 'a'-'c', 'e'"
    )
    assert message(CharTokenizer([""]).encode, "a") == (
        "character 'a' at position 0 is not in the vocabulary, which has no characters"
    )


@pytest.mark.parametrize("token", [-1, 3])
def test_unknown_token(token):
    assert message(CharTokenizer("abc").decode, [0, token]) == (
        f"token {token} is outside the vocabulary of 3"
    )


def test_invalid_vocabularies():
    assert message(CharTokenizer, ["a", "bc"]) == (
        "vocabulary entry 1 must be one character, not 'bc'"
    )
    assert message(CharTokenizer, ["a", "b", "a"]) == (
        "vocabulary entries must differ, but 0 and 2 are both 'a'"
    )


@pytest.mark.skipif(
    "GATEFORMER_DATA" not in os.environ,
    reason="GATEFORMER_DATA does not name a directory with tinyshakespeare/input.txt",
)
def test_tiny_shakespeare():
    data = (Path(os.environ["GATEFORMER_DATA"]) / "tinyshakespeare" / "input.txt").read_bytes()
    text = data.decode()
    tokenizer = CharTokenizer.from_text(text, 128)
    assert sum(map(bool, tokenizer.vocabulary)) == 65
    assert bytes(tokenizer.encode(text)) == data
    assert len(set(CharTokenizer.from_text(text, 65).encode(text))) == 65
