"""The tokenizer in a GGUF file's metadata, as llama.cpp reads it."""

from __future__ import annotations

from collections.abc import Mapping

from ...support.errors import UserError
from ...support.optional import require
from ..codec import TextCodec
from .pieces import codec_of_json
from .score_merges import score_json

_CONTROL, _USER_DEFINED = 3, 4
"""Of tokenizer.ggml.token_type."""
_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|%s"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_PRE = {
    "gpt-2": None,
    "smollm": r"\p{N}",
    "llama-bpe": _WORDS % r"\p{N}{1,3}",
    "qwen2": _WORDS % r"\p{N}",
}
"""What splits a text before its words do: llama.cpp's src/llama-vocab.cpp."""


def codec_of_metadata(
    where: str, metadata: Mapping[str, object], vocab_size: int | None = None
) -> TextCodec:
    """Codec of the keys ``tokenizer.*``; UserError naming what is missing or not known."""

    def value(key: str, default=None):
        return metadata.get(f"tokenizer.ggml.{key}", default)

    model, texts = value("model"), value("tokens")
    if model not in ("gpt2", "llama") or not texts:
        raise UserError(f"{where} has tokenizer {model!r}; expected gpt2 or llama with its tokens")
    types = value("token_type") or [1] * len(texts)
    companion = value("merges") if model == "gpt2" else value("scores")
    if companion is None or len(types) != len(texts):
        raise UserError(f"{where} has a {model} tokenizer without its merges, scores or types")
    special = {i: text for i, text in enumerate(texts) if types[i] == _CONTROL}
    pre = value("pre", "gpt-2")
    if model == "llama":
        if len(companion) != len(texts):
            raise UserError(f"{where} has {len(companion)} scores for {len(texts)} tokens")
        special = {0: texts[0]} | special
        data = score_json(texts, companion, special, value("add_space_prefix", True))
    else:
        if pre not in _PRE:
            raise UserError(f"{where} has pre-tokenizer {pre!r}; expected one of {', '.join(_PRE)}")
        own = [text for i, text in enumerate(texts) if types[i] == _USER_DEFINED]
        data = _byte_level(where, texts, companion, list(special.values()), own, pre)
    bos, eos, eot = value("bos_token_id"), value("eos_token_id"), value("eot_token_id")
    return codec_of_json(
        where,
        data,
        vocab_size,
        bos=bos,
        eos=eos,
        stop=tuple(sorted({token for token in (eos, eot) if token is not None})),
        add_bos=bool(value("add_bos_token", model == "llama" or pre == "llama-bpe"))
        and bos is not None,
        chat_template=metadata.get("tokenizer.chat_template"),
    )


def _byte_level(where: str, texts, merges, special, own, pre: str) -> bytes:
    require({"tokenizers": "reading a GGUF file's tokenizer"}, "import")
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers

    vocabulary = {text: token for token, text in enumerate(texts)}
    pairs = [tuple(merge.split(" ", 1)) for merge in merges]
    for merge, pair in zip(merges, pairs, strict=True):
        if any(part not in vocabulary for part in (*pair, "".join(pair))):
            raise UserError(f"{where} has a merge of unknown pieces: {merge!r}")
    tokenizer = Tokenizer(models.BPE(vocabulary, pairs, ignore_merges=pre == "llama-bpe"))
    words = pre in ("gpt-2", "smollm")  # GPT-2's own split comes with ByteLevel
    steps = [pre_tokenizers.Split(Regex(_PRE[pre]), "isolated")] if _PRE[pre] else []
    steps.append(pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=words))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(steps)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(t, normalized=False, special=True) for t in special])
    tokenizer.add_tokens([AddedToken(text, normalized=False) for text in own])
    return tokenizer.to_str().encode("utf-8")
