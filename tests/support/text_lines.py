"""Texts that tokenizers disagree on: prose, code, numbers, contractions, spaces, all of Unicode."""

from __future__ import annotations

import os
import random
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PIECES = (
    *("'s", "'T", "'re", "'LL", "'ve", "'m", "'d", "’s", "a", "the", " the", "The", "I'm", "WE'RE"),
    *("123", "1,234.56", "٣٤", "½", "²", "Ⅷ", "一二", "0x1F", "!", "?!...", "...\n", ")\n", "--"),
    *("—", "__init__", "@", "#", "$", "€", "é", "e\u0301", "ß", "İ", "ı", "ǅ", "ſ", "'ſ", "K"),
    *(" ", "  ", "   ", "\n", "\n\n", " \n", "\n ", "\t", "\t\t", "\r\n", "\r", "\x0b", "\x0c"),
    *("\x1c", "\x1f", "\x85", "\xa0", "\u2003", "\u3000", "\u200b", "\u200d", "\ufeff", "\u2028"),
    *("\u180e", "\xad", "\x00", "\x7f", "\ue000", "\u0378", "\U0010ffff", "\u0903", "\u20dd"),
    *(
        "日本語",
        "한국",
        "ไทย",
        "हिन्दी",
        "עברית",
        "العربية",
        "😀",
        "👨‍👩‍👧",
        "🇩🇪",
        "𝟘",
        "𝔸",
        "\U00010400",
    ),
    *("▁", "▁▁", "Ġ", "Ċ", "<0x41>", "x" * 40, " " * 33),
)
SPECIAL = ("<|im_start|>", "<|im_end|>", "<|endoftext|>", "<s>", "</s>", "<unk>", "<own word>")
RANGES = ((0x20, 0x7F), (0, 0x250), (0x250, 0x2000), (0x2000, 0xD800), (0xE000, 0x20000))


def files() -> list[str]:
    """Public texts of this repository, and WikiText if GATEFORMER_DATA has it."""
    paths = [*sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "model").rglob("*.py"))]
    wiki = Path(os.environ.get("GATEFORMER_DATA", "")) / "wikitext-2/wiki.test.raw"
    paths += [wiki] * 20 if "GATEFORMER_DATA" in os.environ and wiki.is_file() else []
    return [path.read_text(encoding="utf-8") for path in paths]


@cache
def lines(count: int = 4000) -> tuple[str, ...]:
    """Different texts without an empty one: excerpts, and pieces and characters drawn at random."""
    choose, found, texts = random.Random(7), {}, files()
    while len(found) < count:
        kind, text = choose.randrange(3), choose.choice(texts)
        if kind == 0:
            start = choose.randrange(len(text))
            line = text[start : start + choose.randrange(1, 200)]
        elif kind == 1:
            line = "".join(choose.choices(PIECES + SPECIAL, k=choose.randrange(1, 10)))
        else:
            low, high = choose.choice(RANGES)
            drawn = [chr(choose.randrange(low, high)) for _ in range(9)]
            line = "".join(choose.choices([*drawn, " ", "s", "7"], k=choose.randrange(1, 30)))
        found.setdefault(line)
    return tuple(line for line in found if line)
