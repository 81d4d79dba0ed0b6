"""Which tokens of a GGUF file are special and which end a text: types, settings, known texts."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from ..sentencepiece_model import CONTROL, UNKNOWN, USER_DEFINED

_ENDS = frozenset(
    [
        *("<|eot_id|>", "<|im_end|>", "<|end|>", "<end_of_turn>", "<|endoftext|>", "<|eom_id|>"),
        *("<EOT>", "_<EOT>", "[EOT]", "[EOS]", "<|end_of_text|>", "<end_of_utterance>"),
    ]
)
_FILL_IN = (
    ("prefix", ("<|fim_prefix|>", "<fim-prefix>", "<fim_prefix>", "<PRE>", "▁<PRE>")),
    ("suffix", ("<|fim_suffix|>", "<fim-suffix>", "<fim_suffix>", "<SUF>", "▁<SUF>")),
    ("middle", ("<|fim_middle|>", "<fim-middle>", "<fim_middle>", "<MID>", "▁<MID>")),
)
_FILL_IN_ENDS = (
    ("fim_pad", ("<|fim_pad|>", "<fim-pad>", "<fim_pad>", "<PAD>", "[PAD]")),
    ("fim_rep", ("<|fim_repo|>", "<|repo_name|>", "<fim-repo>", "<REPO>", "<reponame>")),
    ("fim_sep", ("<|file_sep|>",)),
)
"""Roles in code that is filled in, and their texts; llama.cpp ends a text at these three."""


@dataclasses.dataclass(frozen=True)
class TokenRoles:
    """``special``: text by id, control and unknown tokens; ``added``: text by id of tokens that
    stand wherever their text does; ``ends``: ids that end a text.
    """

    special: dict[int, str]
    added: dict[int, str]
    ends: frozenset[int]


def roles(
    texts: Sequence[str], types: Sequence[int], value: Callable[[str], int | None]
) -> TokenRoles:
    """Roles as llama.cpp finds them; ``value`` gives a setting tokenizer.ggml.NAME, or None.

    A token with a text that is known to be special counts as such, whatever its type says.
    """
    ids = {text: token for token, text in enumerate(texts)}
    ends = {ids[text] for text in _ENDS if text in ids}
    control = set(ends)
    for group, ending in ((_FILL_IN, False), (_FILL_IN_ENDS, True)):
        for name, known in group:
            token = value(f"{name}_token_id")
            if token is None:
                token = next((ids[text] for text in known if text in ids), None)
                control |= {token} - {None}
            ends |= {token} - {None} if ending else set()
    ends |= {value(f"{name}_token_id") for name in ("eos", "eot", "eom")} - {None}
    special, added = {}, {}
    for token, text in enumerate(texts):
        if types[token] in (CONTROL, UNKNOWN) or token in control:
            special[token] = text
        elif types[token] == USER_DEFINED:
            added[token] = text
    return TokenRoles(special, added, frozenset(ends))
