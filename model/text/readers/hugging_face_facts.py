"""What a Hugging Face directory says about its tokenizer, beside the tokenizer itself."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from ...support.errors import UserError

_TEMPLATE = "chat_template.jinja"


@dataclasses.dataclass(frozen=True)
class DirectoryFacts:
    """Texts of ``bos`` and ``eos``, or None; ``ends``: ids of generation_config.json that end a
    text; ``added``: (id, text, whether it is special) of tokens beside the vocabulary;
    ``add_bos``: what the settings say, None if nothing; ``chat_template``: Jinja text or None.
    """

    bos: str | None
    eos: str | None
    ends: tuple[int, ...]
    added: tuple[tuple[int, str, bool], ...]
    add_bos: bool | None
    chat_template: str | None

    def stop(self, eos: int | None) -> tuple[int, ...]:
        """Ids that end a text, with the id of eos."""
        return tuple(sorted({*self.ends, *([] if eos is None else [eos])}))


def read_facts(directory: Path, **defaults: str) -> DirectoryFacts:
    """Facts of the JSON files and of chat_template.jinja, which goes before the settings' own.

    ``defaults``: bos_token and eos_token where no file names them. Raises UserError naming a file
    that cannot be read or is no JSON object.
    """
    config = read_object(directory / "tokenizer_config.json")
    named = defaults | read_object(directory / "special_tokens_map.json") | config
    ends = read_object(directory / "generation_config.json").get("eos_token_id")
    add_bos = config.get("add_bos_token")
    return DirectoryFacts(
        bos=_text(named.get("bos_token")),
        eos=_text(named.get("eos_token")),
        ends=tuple(i for i in (ends if isinstance(ends, list) else [ends]) if type(i) is int),
        added=_added(directory, config),
        add_bos=add_bos if isinstance(add_bos, bool) else None,
        chat_template=_chat_template(directory, config),
    )


def _added(directory: Path, config: dict) -> tuple[tuple[int, str, bool], ...]:
    found = {}
    for text, token in read_object(directory / "added_tokens.json").items():
        if type(token) is int and token >= 0:
            found[token] = (text, False)
    decoder = config.get("added_tokens_decoder")
    for token, entry in (decoder if isinstance(decoder, dict) else {}).items():
        text = _text(entry)
        if not token.isdecimal() or not isinstance(text, str):
            raise UserError(
                f"{directory / 'tokenizer_config.json'}: added_tokens_decoder has {token!r}: "
                f"{entry!r}; expected a token id with its content"
            )
        found[int(token)] = (text, isinstance(entry, dict) and entry.get("special") is True)
    return tuple((token, *found[token]) for token in sorted(found))


def _chat_template(directory: Path, config: dict) -> str | None:
    path = directory / _TEMPLATE
    if path.is_file():
        try:
            return read_bytes(path).decode("utf-8")
        except UnicodeDecodeError:
            raise UserError(f"{path} is not UTF-8 text; get it from its source again") from None
    template = config.get("chat_template")
    if isinstance(template, list):  # several, each with a name
        named = {t.get("name"): t.get("template") for t in template if isinstance(t, dict)}
        template = named.get("default")
    return template if isinstance(template, str) else None


def read_bytes(path: Path) -> bytes:
    """Content of a file; UserError if it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None


def read_object(path: Path) -> dict:
    """A JSON object, empty if there is no such file; UserError if it is none."""
    if not path.exists():
        return {}
    try:
        content = json.loads(read_bytes(path))
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise UserError(f"{path} must be a JSON object")
    return content


def _text(token) -> str | None:
    """The text of a token that is written as a text or as an object with its content."""
    return token.get("content") if isinstance(token, dict) else token
