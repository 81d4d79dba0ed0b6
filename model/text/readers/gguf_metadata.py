"""The tokenizer in a GGUF file's metadata, as llama.cpp reads it."""

from __future__ import annotations

from collections.abc import Mapping

from ...support.errors import UserError
from ...support.optional import require
from ..codec import TextCodec
from ..sentencepiece_model import NORMAL, UNKNOWN
from .gguf_splits import SPLITS, WITHOUT_A_NAME, Splits
from .gguf_tokens import TokenRoles, roles
from .pieces import codec_of_json
from .sentencepiece import codec_of_scores

_LISTS = {"tokens": str, "merges": str, "token_type": int, "scores": (int, float)}


def codec_of_metadata(
    where: str, metadata: Mapping[str, object], vocab_size: int | None = None
) -> TextCodec:
    """Codec of the keys ``tokenizer.*``; UserError naming what is missing or not known."""

    def value(key: str, default=None):
        found = metadata.get(f"tokenizer.ggml.{key}", default)
        if found is not None and not _fits(key, found):
            raise UserError(
                f"{where} has tokenizer.ggml.{key} of another kind than tokenizers have; get the "
                "file from its source again"
            )
        return found

    model, texts = value("model"), value("tokens")
    if model not in ("gpt2", "llama") or not texts:
        raise UserError(f"{where} has tokenizer {model!r}; expected gpt2 or llama with its tokens")
    types = value("token_type") or [NORMAL] * len(texts)
    by_scores = model == "llama"
    companion = value("scores") if by_scores else value("merges")
    if companion is None or len(types) != len(texts):
        raise UserError(f"{where} has a {model} tokenizer without its merges, scores or types")
    pre = value("pre") or WITHOUT_A_NAME
    if not by_scores and pre not in SPLITS:
        known = ", ".join(sorted(SPLITS))
        raise UserError(f"{where} has pre-tokenizer {pre!r}; expected one of {known}")
    found, bos = roles(texts, types, value), value("bos_token_id", 1 if by_scores else None)
    begins = value("add_bos_token", by_scores or SPLITS[pre].add_bos)
    facts = {
        "bos": bos,
        "eos": value("eos_token_id"),
        "stop": tuple(sorted(found.ends)),
        "add_bos": bool(begins) and bos is not None,
        "chat_template": metadata.get("tokenizer.chat_template"),
    }
    if not by_scores:
        data = _byte_level(where, texts, companion, found, SPLITS[pre])
        return codec_of_json(where, data, vocab_size, **facts)
    if len(companion) != len(texts):
        raise UserError(f"{where} has {len(companion)} scores for {len(texts)} tokens")
    kinds = dict(enumerate(types))
    if UNKNOWN not in kinds.values():
        kinds[value("unknown_token_id", 0)] = UNKNOWN
    prefix = bool(value("add_space_prefix", True))
    return codec_of_scores(
        where, texts, companion, kinds, found.special, found.added, prefix, vocab_size, **facts
    )


def _fits(key: str, value) -> bool:
    """Whether a setting is of the kind that GGUF gives it."""
    if key in _LISTS:
        return isinstance(value, list) and all(isinstance(entry, _LISTS[key]) for entry in value)
    if key.endswith("_token_id"):
        return isinstance(value, int) and value >= 0
    return isinstance(value, str if key in ("model", "pre") else bool)


def _byte_level(where: str, texts, merges, found: TokenRoles, splits: Splits) -> bytes:
    require({"tokenizers": "reading a GGUF file's tokenizer"}, "import")
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers

    vocabulary = {text: token for token, text in enumerate(texts)}
    pairs = [tuple(merge.split(" ", 1)) for merge in merges]
    for merge, pair in zip(merges, pairs, strict=True):
        if any(part not in vocabulary for part in (*pair, "".join(pair))):
            raise UserError(f"{where} has a merge of unknown pieces: {merge!r}")
    tokenizer = Tokenizer(models.BPE(vocabulary, pairs, ignore_merges=splits.whole_words))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            *(pre_tokenizers.Split(Regex(pattern), "isolated") for pattern in splits.patterns),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(
        [AddedToken(text, normalized=False, special=True) for text in found.special.values()]
    )
    tokenizer.add_tokens([AddedToken(text, normalized=False) for text in found.added.values()])
    return tokenizer.to_str().encode("utf-8")
