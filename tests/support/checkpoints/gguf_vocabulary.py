"""GGUF files that hold a tokenizer alone, trained on this repository's text."""

from __future__ import annotations

import io
import json
from functools import cache
from pathlib import Path

import pytest

from tests.support.text_lines import files

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, BYTE = 1, 2, 3, 4, 6
ENDING = [("<|endoftext|>", CONTROL), ("<|im_start|>", CONTROL), ("<own word>", USER_DEFINED)]
"""Tokens after those that were learned."""


def write(path: Path, **settings) -> Path:
    """A file of the settings tokenizer.ggml.NAME only."""
    gguf = pytest.importorskip("gguf")
    writer = gguf.GGUFWriter(path, "llama")
    for name, value in settings.items():
        kinds = {bool: writer.add_bool, int: writer.add_uint32, str: writer.add_string}
        kinds.get(type(value), writer.add_array)(f"tokenizer.ggml.{name}", value)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    return path


@cache
def byte_level(size: int = 3000) -> tuple[list[str], list[str]]:
    """(tokens, merges) learned across words, so that every split of a text shows."""
    tokenizers = pytest.importorskip("tokenizers")
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    level = tokenizers.pre_tokenizers.ByteLevel
    lines = tokenizers.pre_tokenizers.Split("\n\n", "isolated")
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Sequence(
        [lines, level(add_prefix_space=False, use_regex=False)]
    )
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=size, initial_alphabet=level.alphabet(), show_progress=False
    )
    extra = [
        "I'm we're 1234 12 a  b   c !!\n\n\n )\n  )\n\n  12345 WE'LL don't it's ... \t\tx"
    ] * 30
    tokenizer.train_from_iterator([*(text[:20_000] for text in files()[:12]), *extra], trainer)
    model = json.loads(tokenizer.to_str())["model"]
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]]
    return sorted(model["vocab"], key=model["vocab"].get), merges


def byte_level_file(path: Path, **settings) -> Path:
    """A file with tokenizer gpt2; ``settings`` as of :func:`write`."""
    tokens, merges = byte_level()
    end = len(tokens)
    return write(
        path,
        **{"model": "gpt2", "tokens": [*tokens, *(text for text, _ in ENDING)], "merges": merges},
        token_type=[NORMAL] * end + [kind for _, kind in ENDING],
        **{"bos_token_id": end, "eos_token_id": end} | settings,
    )


@cache
def sentencepiece_model(kind: str = "bpe", size: int = 700, **options) -> bytes:
    """A SentencePiece model with byte fallback."""
    sentencepiece = pytest.importorskip("sentencepiece")
    written = io.BytesIO()
    text = "\n".join(text[:20_000] for text in files()[:12])
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(text.splitlines()),
        model_writer=written,
        **{"vocab_size": size, "model_type": kind, "minloglevel": 2},
        **{"byte_fallback": True} | options,
    )
    return written.getvalue()


def score_file(path: Path, ties: bool = False, **settings) -> Path:
    """A file with tokenizer llama; ``ties``: whether sixteen pieces have one score."""
    sentencepiece = pytest.importorskip("sentencepiece")
    processor = sentencepiece.SentencePieceProcessor(model_proto=sentencepiece_model())
    ids = range(processor.get_piece_size())
    scores = [processor.get_score(i) for i in ids]
    types = [
        UNKNOWN,
        CONTROL,
        CONTROL,
        *(BYTE if processor.is_byte(i) else NORMAL for i in ids[3:]),
    ]
    return write(
        path,
        model="llama",
        tokens=[processor.id_to_piece(i) for i in ids] + [text for text, _ in ENDING],
        scores=[float(s // 16 if ties else s) for s in scores] + [-1000.0] * len(ENDING),
        token_type=types + [kind for _, kind in ENDING],
        **{"bos_token_id": 1, "eos_token_id": 2, "unknown_token_id": 0} | settings,
    )
