"""The tokens of a whole corpus, whatever its tokenizer."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from .codec import TextCodec
from .corpus import Corpus
from .tokenizer import CharTokenizer

PART = 1 << 18
"""Characters of a text that are encoded together, at least: half a second."""
CONTEXT = 256
"""Characters on either side of a cut that show whether it changes tokens."""
_SEARCHED = 4096
"""Characters before the end of a part in which a place to cut is looked for."""
_CUT = re.compile(r"(?<=\S\n)(?=\S)|(?<=\S)(?= \w)")

Progress = Callable[[int, int], None]
"""Called with (done, total), in characters."""


def encode_corpus(
    codec: TextCodec,
    corpus: Corpus,
    skip_unknown: bool = False,
    enough: int | None = None,
    progress: Progress = lambda done, total: None,
) -> tuple[list[int], int]:
    """(token ids, characters left out) of a text, the same as if it were encoded as one piece.

    Parameters
    ----------
    codec : TextCodec
    corpus : Corpus
    skip_unknown : whether characters outside a character vocabulary are left out and counted;
        otherwise a UserError names the first with its line and column. The other kinds encode all
    enough : tokens after which the rest of the text is not needed, None: all are wanted
    progress : called after each part
    """
    if codec.kind == "characters":
        parts = _characters(codec, corpus, skip_unknown)
    else:
        parts = ((codec.encode(part), 0, end) for part, end in _parts(codec, corpus.text))
    ids: list[int] = []
    skipped = 0
    for fresh, left_out, end in parts:
        ids += fresh
        skipped += left_out
        progress(end, len(corpus.text))
        if enough is not None and len(ids) >= enough:
            break
    return ids, skipped


def _characters(
    codec: TextCodec, corpus: Corpus, skip_unknown: bool
) -> Iterator[tuple[list[int], int, int]]:
    """(ids, characters left out, end) of each part."""
    tokenizer = CharTokenizer([piece.decode("utf-8") for piece in codec.pieces])
    known = set(tokenizer.vocabulary)
    for start in range(0, len(corpus.text), PART):
        part = kept = corpus.text[start : start + PART]
        if skip_unknown:
            kept = "".join(character for character in part if character in known)
        ids = tokenizer.encode(kept, lambda index, start=start: corpus.place(start + index))
        yield ids, len(part) - len(kept), start + len(part)


def _parts(codec: TextCodec, text: str) -> Iterator[tuple[str, int]]:
    """(part, end of it in the text), cut where the tokenizer itself shows that nothing changes."""
    start, end = 0, PART
    while end < len(text):
        cut = _cut(codec, text, end)
        if cut is None:  # no split is neutral here: look in what follows
            end += PART
            continue
        stop, begin = cut
        yield text[start:stop], begin
        start, end = begin, begin + PART
    if start < len(text):
        yield text[start:], len(text)


def _cut(codec: TextCodec, text: str, end: int) -> tuple[int, int] | None:
    """(end of the part, begin of the next) near ``end``; None if every cut would show.

    A tokenizer that puts a space before a text takes the space at a cut for that.
    """
    low = end - min(_SEARCHED, PART // 2)
    places = [match.start() for match in _CUT.finditer(text, low, end)]
    for place in (places[-1:] + places[:1]) if places else ():
        left, right = text[place - CONTEXT : place], text[place : place + CONTEXT]
        whole = codec.encode(left + right)
        for skipped in (0, 1) if right.startswith(" ") else (0,):
            if whole == codec.encode(left) + codec.encode(right[skipped:]):
                return place, place + skipped
    return None
