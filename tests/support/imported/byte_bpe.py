"""A small tokenizer that is trained in no time."""

from collections.abc import Sequence

import pytest


def byte_bpe(text: str, special: Sequence[str]) -> bytes:
    """``tokenizer.json`` of a byte-level BPE of all bytes and some merges; 300 tokens at most."""
    tokenizers = pytest.importorskip("tokenizers")
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    level = tokenizers.pre_tokenizers.ByteLevel
    tokenizer.pre_tokenizer = level(add_prefix_space=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=list(special),
        initial_alphabet=level.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([text] * 9, trainer)
    return tokenizer.to_str().encode()
