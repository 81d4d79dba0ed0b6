"""SentencePiece vocabularies as codecs: a model's file, or a table of pieces and scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...support.errors import UserError
from ..codec import TextCodec
from ..sentencepiece_model import BYTE, CONTROL, NORMAL, SPACE, UNKNOWN, bpe_model, load


def codec_of_scores(
    where: str,
    texts: Sequence[str],
    scores: Sequence[float],
    types: Mapping[int, int],
    special: Mapping[int, str],
    added: Mapping[int, str] | None = None,
    prefix: bool = True,
    vocab_size: int | None = None,
    **facts,
) -> TextCodec:
    """Codec of a BPE by scores; parameters as of :func:`bpe_model` and :class:`TextCodec`.

    ``added``: text by id of tokens that stand wherever their text does. ``facts``: further fields
    of the codec. Raises UserError naming ``where``, as :func:`bpe_model`.
    """
    added = added or {}
    hidden = dict.fromkeys([*special, *added], CONTROL)
    unknown = next((token for token, kind in types.items() if kind == UNKNOWN), 0)
    kinds = {token: kind for token, kind in types.items() if kind in (NORMAL, BYTE)}
    model = bpe_model(where, texts, scores, kinds | hidden | {unknown: UNKNOWN}, prefix)
    pieces = [
        bytes([int(text[3:5], 16)]) if kinds.get(token) == BYTE else _bytes(text)
        for token, text in enumerate(texts)
    ]
    for token, text in added.items():
        pieces[token] = text.encode("utf-8")
    return _codec(where, model, pieces, dict(special), added, prefix, vocab_size, facts)


def codec_of_model(
    where: str,
    model: bytes,
    special: Mapping[int, str],
    added: Mapping[int, str],
    vocab_size: int | None = None,
    **facts,
) -> TextCodec:
    """Codec of a SentencePiece model, BPE or Unigram, with tokens that it lacks itself.

    ``special`` and ``added``: texts of those by id. Control pieces and the unknown one are special
    in any case. Raises UserError naming ``where`` if it is no such model, or does not fit.
    """
    processor = load(where, model)
    size = processor.get_piece_size()
    texts = [processor.id_to_piece(token) for token in range(size)]
    pieces = [
        bytes([int(text[3:5], 16)]) if processor.is_byte(token) else _bytes(text)
        for token, text in enumerate(texts)
    ]
    own = {
        token: text
        for token, text in enumerate(texts)
        if processor.is_control(token) or processor.is_unknown(token)
    }
    added = {token: text for token, text in added.items() if token >= size}  # it has the others
    pieces += [b""] * (max([*special, *added, size - 1]) + 1 - size)
    for token, text in added.items():
        pieces[token] = text.encode("utf-8")
    # "a" need not be a piece: whatever it becomes, the prefix comes first
    prefix = bool(ids := processor.encode("a")) and texts[ids[0]].startswith(SPACE)
    return _codec(where, model, pieces, own | dict(special), added, prefix, vocab_size, facts)


def _codec(
    where: str,
    model: bytes,
    pieces: list[bytes],
    special: dict[int, str],
    added: Mapping[int, str],
    prefix: bool,
    vocab_size: int | None,
    facts: dict,
) -> TextCodec:
    if vocab_size is not None and len(pieces) > vocab_size:
        raise UserError(
            f"{where} has token {len(pieces) - 1}, but the model has {vocab_size}; give its own "
            "tokenizer"
        )
    pieces += [b""] * ((vocab_size or 0) - len(pieces))
    for token in special:
        pieces[token] = b""
    return TextCodec(
        "sentencepiece",
        tuple(pieces),
        tuple(sorted(special.items())),
        sentencepiece=model,
        added=tuple(sorted(added.items())),
        strip_first_space=prefix,
        **facts,
    )


def _bytes(text: str) -> bytes:
    return text.replace(SPACE, " ").encode("utf-8")
