"""Tokenizers of GGUF files against llama.cpp, on thousands of texts."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from gateformer.model.floating.checkpoints.gguf_file import read_tokenizer
from gateformer.model.text.codec import TextCodec
from gateformer.model.text.readers.gguf_metadata import codec_of_metadata
from gateformer.model.text.readers.gguf_splits import SPLITS
from tests.support.checkpoints.gguf_vocabulary import byte_level_file, score_file, write
from tests.support.llama_reference import LlamaVocabulary, smollm2
from tests.support.text_lines import lines

KINDS = {splits: name for name, splits in reversed(SPLITS.items())}
"""The first name of each kind of splits."""


def check(path: Path, texts: tuple[str, ...]) -> TextCodec:
    """Fail on the first text whose tokens or bytes are not llama.cpp's."""
    theirs = LlamaVocabulary(path)
    ours = codec_of_metadata(str(path), read_tokenizer(path))
    assert (ours.add_bos, ours.stop) == (theirs.add_bos, theirs.ends)
    assert ours.pieces == theirs.pieces
    for text, special in itertools.product(texts, (False, True)):
        assert ours.encode(text, special) == theirs.encode(text, special), text
    return ours


@pytest.mark.slow
def test_smollm2():
    codec = check(smollm2(), lines())
    assert (codec.add_bos, codec.eos) == (False, 2)


@pytest.mark.slow
@pytest.mark.parametrize("pre", sorted(KINDS.values()))
def test_every_kind_of_splits(tmp_path, pre):
    check(byte_level_file(tmp_path / "m.gguf", pre=pre), lines(3000))


@pytest.mark.slow
@pytest.mark.parametrize("pre", sorted(set(SPLITS) - set(KINDS.values())))
def test_every_other_name_of_splits(tmp_path, pre):
    check(byte_level_file(tmp_path / "m.gguf", pre=pre), lines(3000)[::20])


@pytest.mark.slow
def test_splits_without_a_name(tmp_path):
    check(byte_level_file(tmp_path / "m.gguf"), lines(3000)[::20])


@pytest.mark.slow
@pytest.mark.parametrize("settings", [{}, {"ties": True}, {"add_space_prefix": False}])
def test_pieces_with_scores(tmp_path, settings):
    check(score_file(tmp_path / "m.gguf", **settings), lines(3000))


@pytest.mark.slow
def test_pieces_of_a_text_never_join_to_a_control_token(tmp_path):
    """The one difference that is meant: llama.cpp lets them, SentencePiece does not."""
    tokens = ["<unk>", "<s>", "</s>", "<", "s", ">", "s>", *(f"<0x{i:02X}>" for i in range(256))]
    path = write(
        tmp_path / "m.gguf",
        **{"model": "llama", "tokens": tokens, "token_type": [2, 3, 3, 1, 1, 1, 1, *[6] * 256]},
        **{"scores": [-float(i) for i in range(len(tokens))], "add_space_prefix": False},
    )
    ours = codec_of_metadata(str(path), read_tokenizer(path))
    assert LlamaVocabulary(path).encode("<s>") == [1] and ours.encode("<s>") == [3, 6]
    assert ours.encode("<s>", special=True) == [1]
