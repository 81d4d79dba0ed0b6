"""Tokenizers in a Hugging Face directory: tokenizer.json, SentencePiece's tokenizer.model, or
GPT-2's vocab.json and merges.txt.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

from ...support.errors import UserError
from ...support.optional import require
from ..codec import TextCodec
from .hugging_face_facts import DirectoryFacts, read_bytes, read_facts, read_object
from .pieces import codec_of_json
from .sentencepiece import codec_of_model

SENTENCEPIECE = "tokenizer.model"

_GPT2_END = "<|endoftext|>"
"""GPT-2's only special token: bos and eos."""


def read_directory(directory: Path, vocab_size: int | None = None) -> TextCodec:
    """Codec with the directory's bos, eos, stop ids and chat template; UserError if it has none."""
    if (directory / "tokenizer.json").is_file():
        path = directory / "tokenizer.json"
        return _read_json(path, read_bytes(path), vocab_size, read_facts(directory))
    if (directory / SENTENCEPIECE).is_file():
        return read_model(directory / SENTENCEPIECE, vocab_size)
    if (directory / "vocab.json").is_file() and (directory / "merges.txt").is_file():
        facts = read_facts(directory, bos_token=_GPT2_END, eos_token=_GPT2_END)
        return _read_json(directory / "vocab.json", _gpt2_json(directory), vocab_size, facts)
    raise UserError(
        f"{directory} has no tokenizer; expected tokenizer.json, {SENTENCEPIECE}, or vocab.json "
        "with merges.txt"
    )


def _read_json(path: Path, data: bytes, vocab_size: int | None, facts: DirectoryFacts) -> TextCodec:
    codec = codec_of_json(str(path), data, vocab_size)
    ids = {text: token for token, text in codec.special}
    bos, eos = ids.get(facts.bos), ids.get(facts.eos)
    return dataclasses.replace(
        codec,
        bos=bos,
        eos=eos,
        stop=facts.stop(eos),
        add_bos=bos is not None and (facts.add_bos is True or codec.puts_first(bos)),
        chat_template=facts.chat_template,
    )


def read_model(path: Path, vocab_size: int | None = None) -> TextCodec:
    """Codec of a SentencePiece model with the added tokens and settings of its directory.

    A text begins with bos unless the settings say otherwise, as in transformers' LlamaTokenizer.
    """
    facts = read_facts(path.parent)
    special = {token: text for token, text, is_special in facts.added if is_special}
    added = {token: text for token, text, is_special in facts.added if not is_special}
    codec = codec_of_model(str(path), read_bytes(path), special, added, vocab_size)
    ids = {text: token for token, text in codec.special}
    bos, eos = ids.get(facts.bos or "<s>"), ids.get(facts.eos or "</s>")
    return dataclasses.replace(
        codec,
        bos=bos,
        eos=eos,
        stop=facts.stop(eos),
        add_bos=bos is not None and facts.add_bos is not False,
        chat_template=facts.chat_template,
    )


def _gpt2_json(directory: Path) -> bytes:
    """GPT-2's tokenizer as JSON; UserError naming a merge of unknown pieces."""
    require({"tokenizers": "reading vocab.json and merges.txt"}, "import")
    import tokenizers
    from tokenizers import decoders, models, pre_tokenizers

    vocabulary = read_object(directory / "vocab.json")
    merges = []
    for number, line in enumerate(
        read_bytes(directory / "merges.txt").decode("utf-8").split("\n"), 1
    ):
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
