"""What splits a text before the merges of a GGUF file's byte-level BPE: its pre-tokenizer."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Splits:
    """Patterns that split one after the other what those before left whole.

    ``whole_words``: a word that is a token is that token, whatever its merges are. ``add_bos``:
    whether a text begins with bos where the file does not say so.
    """

    patterns: tuple[str, ...]
    whole_words: bool = False
    add_bos: bool = False


GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|%s"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_UPPER, _LOWER = r"(?=\p{L})[^a-z]", r"(?=\p{L})[^A-Z]"
_TEKKEN = (
    rf"[^\r\n\p{{L}}\p{{N}}]?(?:{_UPPER})*(?:{_LOWER})+"
    rf"|[^\r\n\p{{L}}\p{{N}}]?(?:{_UPPER})+(?:{_LOWER})*"
    r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_THREE_DIGITS = WORDS % r"\p{N}{1,3}"
_KINDS = {
    ("default",): Splits((r"[\p{P}$+<=>^~|]+", GPT2, r"\p{N}+", r"[0-9][0-9][0-9]")),
    ("gpt-2", "phi-2", "mellum", "a.x-4.0", "trillion", "olmo", "mpt"): Splits((GPT2,)),
    ("smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b"): Splits(
        (r"\p{N}", GPT2)
    ),
    ("llama-bpe", "llama3", "llama-v3", "falcon3", "pixtral", "midm-2.0"): Splits(
        (_THREE_DIGITS,), whole_words=True, add_bos=True
    ),
    ("smaug-bpe", "dbrx"): Splits((_THREE_DIGITS,)),
    ("qwen2", "deepseek-r1-qwen", "megrez", "stablelm2", "hunyuan"): Splits((WORDS % r"\p{N}",)),
    ("tekken",): Splits((_TEKKEN,), whole_words=True, add_bos=True),
}
SPLITS = {name: splits for names, splits in _KINDS.items() for name in names}
"""By tokenizer.ggml.pre, as in llama.cpp's src/llama-vocab.cpp."""
WITHOUT_A_NAME = "default"
"""What llama.cpp takes where the file names none."""
