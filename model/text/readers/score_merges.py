"""SentencePiece's BPE, which joins the pair of the best score, as a tokenizers JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence


def score_json(
    texts: Sequence[str], scores: Sequence[float], special: Mapping[int, str], prefix: bool = True
) -> bytes:
    """JSON of a vocabulary with a score per piece, "▁" for space, and "<0x00>".. for bytes.

    ``special``: text of every special token, "<unk>" with id 0 among them. ``prefix``: whether a
    text is given a space before it. Where one piece has several splits, the shorter left one goes
    first, wherever it stands.
    """
    vocabulary = {}
    for token, text in enumerate(texts):
        vocabulary.setdefault(special.get(token, text), token)
    whole = {
        text: token
        for text, token in vocabulary.items()
        if token not in special and not (text.startswith("<0x") and len(text) == 6)
    }
    merges = []
    for text in sorted(whole, key=lambda text: (-scores[whole[text]], whole[text])):
        for cut in range(1, len(text)):
            if text[:cut] in whole and text[cut:] in whole:
                merges.append([text[:cut], text[cut:]])
    steps = [{"type": "Prepend", "prepend": "▁"}] if prefix else []
    steps.append({"type": "Replace", "pattern": {"String": " "}, "content": "▁"})
    decoder = [
        {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
        {"type": "ByteFallback"},
        {"type": "Fuse"},
    ]
    if prefix:
        decoder.append({"type": "Strip", "content": " ", "start": 1, "stop": 0})
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    content = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {"id": token, "content": text, **flags, "special": True}
            for token, text in sorted(special.items())
        ],
        "normalizer": {"type": "Sequence", "normalizers": steps},
        "pre_tokenizer": None,
        "post_processor": None,
        "decoder": {"type": "Sequence", "decoders": decoder},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": special.get(0),
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": True,
            "byte_fallback": True,
            "ignore_merges": False,
            "vocab": vocabulary,
            "merges": merges,
        },
    }
    return json.dumps(content, ensure_ascii=False).encode("utf-8")
