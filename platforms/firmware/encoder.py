"""What the firmware needs to cut a text into tokens as the model's own tokenizer does."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence

from gateformer.model.text.codec import TextCodec
from gateformer.model.text.readers.gguf_splits import GPT2, WORDS
from gateformer.model.text.readers.pieces import byte_alphabet
from gateformer.model.text.sentencepiece_model import BYTE, CONTROL, NORMAL, SPACE, UNKNOWN

from . import protocol_buffer

BYTES = 256
SPLITS = ("none", "gpt2", "words")
"""What a text is split by before merges: nothing, or one of the two regular expressions."""
_PATTERNS = {
    GPT2: ("gpt2", 0),
    WORDS % r"\p{N}": ("words", 1),
    WORDS % r"\p{N}{1,3}": ("words", 3),
}
_DIGIT = r"\p{N}"
_BPE = 2
"""TrainerSpec.model_type of SentencePiece."""


@dataclasses.dataclass(frozen=True)
class Encoder:
    """A tokenizer that joins neighbours, the best pair first and the leftmost of equals.

    Attributes
    ----------
    by_bytes : bool
        Merges begin with bytes, else with characters.
    of_bytes : tuple of int or None
        ``by_bytes``: the token of each byte; else those of characters that are no symbol.
    symbols : dict of str to int
        Of characters: tokens, and numbers from the vocabulary's size on for those that are none,
        but begin a merge. Empty if ``by_bytes``.
    merges : tuple of (left, right, rank, result)
        Symbols that may be joined, by the two; the least rank comes first.
    split : str, of :data:`SPLITS`
    digits : int
        With split "words": how many digits stay together at most.
    isolate_digits : bool
        Every digit is a text of its own, split before all else.
    prefix : bool
        Every text is given a space before it.
    words : dict of bytes to int
        Texts between splits that are a token whatever the merges are.
    added : tuple of (bytes, int)
        Texts that are that token wherever they stand, the longest first.
    """

    by_bytes: bool
    of_bytes: tuple[int | None, ...]
    merges: tuple[tuple[int, int, int, int], ...]
    symbols: Mapping[str, int] = dataclasses.field(default_factory=dict)
    split: str = "none"
    digits: int = 0
    isolate_digits: bool = False
    prefix: bool = False
    words: Mapping[bytes, int] = dataclasses.field(default_factory=dict)
    added: tuple[tuple[bytes, int], ...] = ()


def encoder_of(codec: TextCodec, vocab_size: int) -> Encoder | None:
    """That of a codec; None if it cuts texts in a way that the firmware does not know."""
    try:
        if codec.kind == "sentencepiece":
            return _of_scores(codec, vocab_size)
        if codec.kind == "tokenizers":
            return _of_json(codec, json.loads(codec.tokenizer_json), vocab_size)
    except (KeyError, ValueError, TypeError, AttributeError, IndexError):
        pass  # whatever else it may be, it is none of those
    return None


def _of_scores(codec: TextCodec, vocab_size: int) -> Encoder | None:
    model = protocol_buffer.fields(codec.sentencepiece)
    trainer = protocol_buffer.fields(model[2][0])
    normalizer = protocol_buffer.fields(model[3][0])
    plain = normalizer.get(1, [b"identity"])[0] == b"identity" and not normalizer.get(2, [b""])[0]
    keeps_spaces = not normalizer.get(4, [1])[0] and normalizer.get(5, [1])[0]
    if trainer.get(3, [1])[0] != _BPE or not (plain and keeps_spaces) or 24 in trainer:
        return None
    texts, scores, kinds = [], [], []
    for entry in model[1]:
        piece = protocol_buffer.fields(entry)
        texts.append(piece[1][0].decode("utf-8"))
        scores.append(piece.get(2, [0.0])[0])
        kinds.append(piece.get(3, [NORMAL])[0])
    if not {*kinds} <= {NORMAL, UNKNOWN, CONTROL, BYTE}:
        return None
    tokens = {text: token for token, text in enumerate(texts) if kinds[token] == NORMAL}
    of_bytes: list[int | None] = [None] * BYTES
    for token, text in enumerate(texts):
        if kinds[token] == BYTE:
            of_bytes[int(text[3:5], 16)] = token
    order = sorted({scores[token] for token in tokens.values()}, reverse=True)
    ranks = {score: rank for rank, score in enumerate(order)}
    symbols = _symbols(tokens, vocab_size)
    merges = [
        (left, right, ranks[scores[token]], token)
        for text, token in tokens.items()
        for left, right in _halves(text, symbols, tokens)
    ]
    return Encoder(
        by_bytes=False,
        of_bytes=tuple(of_bytes),
        symbols=_typed(symbols),
        merges=tuple(sorted(merges)),
        prefix=bool(normalizer.get(3, [1])[0]),
        added=_longest_first(codec.added),
    )


def _halves(
    text: str, symbols: Mapping[str, int], tokens: Mapping[str, int]
) -> Iterator[tuple[int, int]]:
    """Pairs of symbols that are ``text`` together."""
    for i in range(1, len(text)):
        left, right = (
            symbols.get(part) if len(part) == 1 else tokens.get(part)
            for part in (text[:i], text[i:])
        )
        if left is not None and right is not None:
            yield left, right


def _symbols(tokens: Mapping[str, int], vocab_size: int) -> dict[str, int]:
    """A number for every character of a token."""
    characters = sorted({character for text in tokens for character in text})
    others = [character for character in characters if character not in tokens]
    return {c: tokens[c] for c in characters if c in tokens} | {
        c: vocab_size + i for i, c in enumerate(others)
    }


def _typed(symbols: Mapping[str, int]) -> dict[str, int]:
    """By what is typed: a space is what stands for it in the pieces."""
    return dict(symbols) | ({" ": symbols[SPACE]} if SPACE in symbols else {})


def _of_json(codec: TextCodec, content: dict, vocab_size: int) -> Encoder | None:
    model = content["model"]
    affixes = [model.get(f) for f in ("continuing_subword_prefix", "end_of_word_suffix", "dropout")]
    if model.get("type", "BPE") != "BPE" or any(affixes):
        return None
    added = [token for token in content.get("added_tokens") or [] if not token["special"]]
    if any(token[side] for token in added for side in ("single_word", "lstrip", "rstrip")):
        return None
    vocabulary = model["vocab"]
    pairs = [m.split(" ", 1) if isinstance(m, str) else m for m in model["merges"]]
    extra = {
        "added": _longest_first((token["id"], token["content"]) for token in added),
        "words": _words(codec, vocabulary) if model.get("ignore_merges") else {},
    }
    steps = [*_steps(content.get("pre_tokenizer"))]
    if "byte level" in steps and content.get("normalizer") is None:
        return _of_bytes(vocabulary, pairs, steps, extra)
    if not steps and model.get("byte_fallback") and _prepends(content.get("normalizer")):
        return _of_characters(vocabulary, pairs, vocab_size, extra)
    return None


def _of_bytes(vocabulary, pairs, steps, extra) -> Encoder | None:
    steps = [step for step in steps if step != "byte level"]
    isolate = bool(steps) and steps[0] == _DIGIT
    patterns = steps[1:] if isolate else steps
    if len(patterns) > 1 or any(pattern not in _PATTERNS for pattern in patterns):
        return None
    split, digits = _PATTERNS[patterns[0]] if patterns else ("none", 0)
    of_bytes: list[int | None] = [None] * BYTES
    for character, byte in byte_alphabet().items():
        of_bytes[byte] = vocabulary.get(character)
    return Encoder(
        by_bytes=True,
        of_bytes=tuple(of_bytes),
        merges=_ranked(pairs, vocabulary),
        split=split,
        digits=digits,
        isolate_digits=isolate,
        **extra,
    )


def _of_characters(vocabulary, pairs, vocab_size, extra) -> Encoder:
    characters = {text: token for text, token in vocabulary.items() if len(text) == 1}
    return Encoder(
        by_bytes=False,
        of_bytes=tuple(vocabulary.get(f"<0x{byte:02X}>") for byte in range(BYTES)),
        symbols=_typed(characters),
        merges=_ranked(pairs, vocabulary),
        prefix=True,
        **extra,
    )


def _ranked(pairs: Sequence[Sequence[str]], vocabulary: Mapping[str, int]):
    merges = {
        (vocabulary[left], vocabulary[right]): (rank, vocabulary[left + right])
        for rank, (left, right) in enumerate(pairs)
    }
    return tuple(sorted((*pair, *found) for pair, found in merges.items()))


def _words(codec: TextCodec, vocabulary: Mapping[str, int]) -> dict[bytes, int]:
    return {codec.pieces[token]: token for token in vocabulary.values() if codec.pieces[token]}


def _prepends(normalizer) -> bool:
    """Whether a text is given a space before it, and spaces become what stands for them."""
    if not isinstance(normalizer, dict) or normalizer.get("type") != "Sequence":
        return False
    wanted = [
        {"type": "Prepend", "prepend": SPACE},
        {"type": "Replace", "pattern": {"String": " "}, "content": SPACE},
    ]
    return normalizer["normalizers"] == wanted


def _steps(step) -> Iterator[str]:
    """Patterns by which a text is split, one after the other, and "byte level".

    Raises ValueError for a step that is none of those.
    """
    kind = None if step is None else step["type"]
    if kind == "Sequence":
        for part in step["pretokenizers"]:
            yield from _steps(part)
    elif kind == "ByteLevel" and not step["add_prefix_space"]:
        yield from (GPT2, "byte level") if step.get("use_regex", True) else ("byte level",)
    elif kind == "Split" and step["behavior"] == "Isolated" and not step["invert"]:
        yield step["pattern"]["Regex"]
    elif kind == "Digits" and step["individual_digits"]:
        yield _DIGIT
    elif kind is not None:
        raise ValueError(kind)


def _longest_first(added) -> tuple[tuple[bytes, int], ...]:
    ordered = sorted(added, key=lambda entry: len(entry[1]), reverse=True)
    return tuple((text.encode("utf-8"), token) for token, text in ordered if text)
