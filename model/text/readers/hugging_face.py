"""Tokenizers in a Hugging Face directory: tokenizer.json, or GPT-2's vocab.json and merges.txt."""

from __future__ import annotations

import json
from pathlib import Path

from ...support.errors import UserError
from ...support.optional import require
from ..codec import TextCodec
from .pieces import codec_of_json

_GPT2_END = "<|endoftext|>"
"""GPT-2's only special token: bos and eos."""


def read_directory(directory: Path, vocab_size: int | None = None) -> TextCodec:
    """Codec with the directory's bos, eos, stop ids and chat template; UserError if it has none."""
    if (directory / "tokenizer.json").is_file():
        where, data = str(directory / "tokenizer.json"), _read(directory / "tokenizer.json")
    elif (directory / "vocab.json").is_file() and (directory / "merges.txt").is_file():
        where, data = str(directory / "vocab.json"), _gpt2_json(directory)
    else:
        raise UserError(
            f"{directory} has no tokenizer; expected tokenizer.json, or vocab.json with merges.txt"
        )
    codec = codec_of_json(where, data, vocab_size)
    ids = {text: token for token, text in codec.special}
    config = _facts(directory / "tokenizer_config.json")
    named = _facts(directory / "special_tokens_map.json") | config
    if not (directory / "tokenizer.json").is_file():
        named = {"bos_token": _GPT2_END, "eos_token": _GPT2_END} | named
    generation = _facts(directory / "generation_config.json")
    bos, eos = (ids.get(_text(named.get(f"{name}_token"))) for name in ("bos", "eos"))
    stop = generation.get("eos_token_id", eos)
    stop = stop if isinstance(stop, list) else [stop]
    template = config.get("chat_template")
    return codec_of_json(
        where,
        data,
        vocab_size,
        bos=bos,
        eos=eos,
        stop=tuple(sorted({token for token in [eos, *stop] if type(token) is int})),
        add_bos=bos is not None and (config.get("add_bos_token") is True or codec.puts_first(bos)),
        chat_template=template if isinstance(template, str) else None,
    )


def _gpt2_json(directory: Path) -> bytes:
    """GPT-2's tokenizer as JSON; UserError naming a merge of unknown pieces."""
    require({"tokenizers": "reading vocab.json and merges.txt"}, "import")
    import tokenizers
    from tokenizers import decoders, models, pre_tokenizers

    vocabulary = _facts(directory / "vocab.json")
    merges = []
    for number, line in enumerate(_read(directory / "merges.txt").decode("utf-8").split("\n"), 1):
        if not line or (number == 1 and line.startswith("#version")):
            continue
        parts = tuple(line.split(" "))
        if len(parts) != 2 or any(p not in vocabulary for p in (*parts, "".join(parts))):
            raise UserError(
                f"{directory / 'merges.txt'} line {number}: {line!r} is not two pieces of "
                "vocab.json that join to one; take both files from one tokenizer"
            )
        merges.append(parts)
    tokenizer = tokenizers.Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    if _GPT2_END in vocabulary:
        tokenizer.add_special_tokens([_GPT2_END])
    return tokenizer.to_str().encode("utf-8")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None


def _facts(path: Path) -> dict:
    """A JSON object; empty if there is no such file."""
    if not path.exists():
        return {}
    try:
        content = json.loads(_read(path))
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise UserError(f"{path} must be a JSON object")
    return content


def _text(token) -> str | None:
    """The text of a token that is written as a text or as an object with its content."""
    return token.get("content") if isinstance(token, dict) else token
