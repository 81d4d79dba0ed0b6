"""llama2.c's tokenizer: the tokens of its bpe_encode, its bytes, and refusals of damaged files."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest

from gateformer.model.support.errors import UserError
from gateformer.model.text.readers.gguf_metadata import codec_of_metadata
from gateformer.model.text.readers.llama2c import read_tokenizer_bin

SENTENCES = [
    "Once upon a time, there was a little girl named Lily.",
    "  Two  spaces\n\nand lines\t",
    "aaaaaaa bbbb",
    "日本語 é 😀",
    "It's 12345!",
    "",
    " ",
    'She said, "Let\'s play!" and they all laughed and laughed.',
    "mississippi banana",
]


@pytest.fixture(scope="module")
def tok512() -> Path:
    data = os.environ.get("GATEFORMER_DATA")
    if not data or not (Path(data) / "stories260K/tok512.bin").is_file():
        pytest.skip("GATEFORMER_DATA has no stories260K/tok512.bin")
    return Path(data) / "stories260K/tok512.bin"


def bpe_encode(path: Path, text: str) -> list[int]:
    """run.c's encode without bos, step by step."""
    data, at, pieces = path.read_bytes(), 4, []
    while at < len(data):
        score, length = struct.unpack_from("<fi", data, at)
        pieces.append((data[at + 8 : at + 8 + length].decode(), score))
        at += 8 + length
    ids = {text: token for token, (text, _) in enumerate(pieces)}
    tokens = [ids[" "]] if text else []
    for character in text:
        found = ids.get(character)
        tokens += [byte + 3 for byte in character.encode()] if found is None else [found]
    while True:
        best = None
        for i in range(len(tokens) - 1):
            joined = ids.get(pieces[tokens[i]][0] + pieces[tokens[i + 1]][0])
            if joined is not None and (best is None or pieces[joined][1] > best[0]):
                best = pieces[joined][1], i, joined
        if best is None:
            return tokens
        tokens[best[1] : best[1] + 2] = [best[2]]


@pytest.mark.parametrize("text", SENTENCES)
def test_tokens_are_those_of_llama2c(tok512, text):
    pytest.importorskip("sentencepiece")
    codec = read_tokenizer_bin(tok512, 512)
    ids = codec.encode(text)
    assert ids == bpe_encode(tok512, text)
    assert codec.decode([codec.bos, *ids]).decode() == text
    assert "".join(codec.stream([codec.bos, *ids])) == text


def test_a_truncated_file_is_named(tok512, tmp_path):
    path = tmp_path / "tok.bin"
    path.write_bytes(tok512.read_bytes()[:-1])
    with pytest.raises(UserError, match=r"ends within token 511 of 512; give the tokenizer of"):
        read_tokenizer_bin(path, 512)


def test_gguf_digits_stand_alone_with_smollm():
    metadata = {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "smollm",
        "tokenizer.ggml.tokens": ["<|e|>", "1", "2", "12", "a", "aa", "Ċ"],
        "tokenizer.ggml.token_type": [3, 1, 1, 1, 1, 1, 1],
        "tokenizer.ggml.merges": ["1 2", "a a"],
        "tokenizer.ggml.eos_token_id": 0,
    }
    codec = codec_of_metadata("m.gguf", metadata, 8)
    assert codec.encode("12aa\n") == [1, 2, 5, 6]
    assert codec.encode("aa<|e|>", special=True) == [5, 0]
    assert codec.pieces == (b"", b"1", b"2", b"12", b"a", b"aa", b"\n", b"")
    assert (codec.stop, codec.add_bos) == ((0,), False)
    with pytest.raises(
        UserError, match=r"^m.gguf has pre-tokenizer 'x'; expected one of a.x-4.0, "
    ):
        codec_of_metadata("m.gguf", metadata | {"tokenizer.ggml.pre": "x"})
