"""The tokens of a whole corpus, whatever its tokenizer."""

from __future__ import annotations

from .codec import TextCodec


def encode_corpus(codec: TextCodec, text: str, skip_unknown: bool = False) -> tuple[list[int], int]:
    """(token ids, characters left out) of ``text``, which is encoded as one piece.

    Characters outside a character vocabulary are left out and counted if ``skip_unknown``, else
    refused with a UserError that names the first; the other kind encodes all. The text is not
    split: no split is neutral for every tokenizer.
    """
    if codec.kind != "characters" or not skip_unknown:
        return codec.encode(text), 0
    known = {piece.decode("utf-8") for piece in codec.pieces}
    kept = "".join(character for character in text if character in known)
    return codec.encode(kept), len(text) - len(kept)
