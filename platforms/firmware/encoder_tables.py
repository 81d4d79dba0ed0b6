"""The tables of an encoder in C (source/encode.c, source/split.c)."""

from __future__ import annotations

import functools
import itertools
import sys
import unicodedata
from collections.abc import Mapping

from .c_text import array, braces, defines
from .encoder import SPLITS, Encoder

NONE = "UINT32_MAX"
"""No symbol."""


def encoder_lines(encoder: Encoder | None) -> list[str]:
    """The lines of the header; without an encoder, that there is none."""
    if encoder is None:
        return [*defines(ENCODER=0), ""]
    texts = [*encoder.added, *sorted(encoder.words.items())]
    added = len(encoder.added)
    begins = itertools.accumulate((len(text) for text, _ in texts), initial=0)
    entries = [
        braces([begin, len(text), token])
        for begin, (text, token) in zip(begins, texts, strict=False)
    ]
    lines = [
        *defines(ENCODER=1),
        *defines(**{f"SPLIT_{name.upper()}": i for i, name in enumerate(SPLITS) if i}),
        *defines(
            ENCODER_BY_BYTES=int(encoder.by_bytes),
            ENCODER_PREFIX=int(encoder.prefix),
            ENCODER_SPLIT=SPLITS.index(encoder.split),
            ENCODER_DIGITS=encoder.digits,
            ENCODER_ISOLATE_DIGITS=int(encoder.isolate_digits),
            ENCODER_CHARACTERS=len(encoder.symbols),
            ENCODER_MERGES=f"{len(encoder.merges)}u",
            ENCODER_ADDED=added,
            ENCODER_WORDS=len(encoder.words),
        ),
        "",
        "struct encoder_character {",
        "\tuint32_t character, symbol; // bytes of UTF-8, the last one lowest",
        "};",
        "struct encoder_merge {",
        "\tuint32_t left, right, rank, result;",
        "};",
        "struct encoder_text {",
        "\tuint32_t begin, bytes, token;",
        "};",
        "",
        "// The token of each byte.",
        array(
            "uint32_t",
            "encoder_bytes",
            (NONE if token is None else f"{token}u" for token in encoder.of_bytes),
        ),
    ]
    if encoder.merges:
        lines += [array("struct encoder_merge", "encoder_merges", map(braces, encoder.merges))]
    else:
        lines += [array("struct encoder_merge", "encoder_merges", ["{0, 0, 0, 0}"])]
    if encoder.symbols:
        lines += [array("struct encoder_character", "encoder_characters", _characters(encoder))]
    if texts:
        octets = (str(byte) for text, _ in texts for byte in text)
        lines += [array("uint8_t", "encoder_text_bytes", octets)]
    if added:
        lines += [array("struct encoder_text", "encoder_added", entries[:added])]
    if encoder.words:
        lines += [array("struct encoder_text", "encoder_words", entries[added:])]
    if encoder.split != "none" or encoder.isolate_digits:
        for name, category in (("letters", "L"), ("numerals", "N")):
            ranges = _ranges(category)
            lines += [*defines(**{name.upper(): f"{len(ranges)}u"})]
            lines += [array("uint32_t", f"{name}[][2]", map(braces, ranges))]
    return lines


def _characters(encoder: Encoder) -> list[str]:
    found: Mapping[int, int] = {
        int.from_bytes(character.encode("utf-8"), "big"): symbol
        for character, symbol in encoder.symbols.items()
    }
    return [braces([f"0x{character:X}u", f"{found[character]}u"]) for character in sorted(found)]


@functools.cache
def _ranges(category: str) -> list[tuple[int, int]]:
    """First and last character of every range of a general category of Unicode."""
    ranges: list[tuple[int, int]] = []
    for code in range(sys.maxunicode + 1):
        if unicodedata.category(chr(code))[0] == category:
            if ranges and ranges[-1][1] == code - 1:
                ranges[-1] = (ranges[-1][0], code)
            else:
                ranges.append((code, code))
    return ranges
