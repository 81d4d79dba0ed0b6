"""``random:…`` texts that describe a random decoder (contract version 2)."""

from __future__ import annotations

import dataclasses

import numpy as np

from ...support.errors import UserError
from ..choices import CHOICES, Bits
from ..per_matrix import GATED_MATRICES, MATRICES
from .model import DecoderModel, Vocabulary
from .random_decoder import random_decoder

SIZES = {
    **{"vocab_size": 96, "d_model": 64, "n_heads": 2, "n_layers": 2, "d_ff": 256, "ctx_len": 64},
    **{"n_kv_heads": None, "head_dim": None, "seed": 0},
}
FLAGS = ("gated", "norm_bias", "bias", "tied_head")
FORMATS = ("weights", "head")
WIDTHS = tuple(f"bits.{field.name}" for field in dataclasses.fields(Bits))
OWN_FORMATS = tuple(f"weights.{kind}" for kind in (*GATED_MATRICES, "token_embedding", "lm_head"))
OWN = {*CHOICES, *FLAGS, *FORMATS, *OWN_FORMATS, *WIDTHS, "n_kv_heads", "head_dim"}
"""Settings that models of version 1 don't have: one of them makes it a decoder."""
OWN_TEXT = ", ".join(
    (*CHOICES, *FLAGS, *FORMATS, "weights.MATRIX", "bits.NAME", "n_kv_heads", "head_dim")
)
"""The same for people."""
FIRST_CHARACTER = 32


def decoder_settings(spec: str) -> dict[str, str] | None:
    """Settings of ``random:name=value,…`` if they describe a decoder, else None.

    Raises UserError if a decoder's setting is given twice.
    """
    pairs = [item.partition("=")[::2] for item in spec.partition(":")[2].split(",") if item]
    settings = {name.strip(): value.strip() for name, value in pairs}
    if OWN.isdisjoint(settings):
        return None
    for name in settings:
        if sum(other.strip() == name for other, _ in pairs) > 1:
            raise UserError(f"random model setting {name!r} is given twice")
    return settings


def random_spec_model(settings: dict[str, str]) -> DecoderModel:
    """The random decoder that ``settings`` describe, the same for the same ones.

    Sizes are integers; ``norm``, ``positions`` and ``activation`` as in ModelConfig; ``gated``,
    ``norm_bias``, ``bias`` (of all matrices) and ``tied_head`` 0 or 1; ``weights`` and ``head`` a
    format, ``weights.KIND`` that of one kind of matrices; ``bits.NAME`` a width. Its tokens are
    single characters.

    Raises UserError naming the setting that is unknown, malformed or out of range.
    """
    known = [*SIZES, *CHOICES, *FLAGS, *FORMATS, *OWN_FORMATS, *WIDTHS]
    for name in settings:
        if name not in known:
            raise UserError(f"unknown random model setting {name!r}; expected {', '.join(known)}")
    shape = {n: default for n, default in SIZES.items() if default is not None}
    shape |= {n: _integer(n, settings[n]) for n in SIZES if n in settings}
    seed = shape.pop("seed")
    if seed < 0:
        raise UserError(f"seed must be an integer of at least 0, not {seed}")
    for name, allowed in CHOICES.items():
        shape[name] = settings.get(name, allowed[0])
    flags = {name: _flag(name, settings.get(name, name == "tied_head")) for name in FLAGS}
    kinds = GATED_MATRICES if flags["gated"] else MATRICES
    widths = {n.removeprefix("bits."): _integer(n, settings[n]) for n in WIDTHS if n in settings}
    own = {n.removeprefix("weights."): settings[n] for n in OWN_FORMATS if n in settings}
    ends = {"token_embedding", *([] if flags["tied_head"] else ["lm_head"])}
    for name in own.keys() - ends - set(kinds):
        raise UserError(
            f"random model setting 'weights.{name}' is of a matrix that the model does not have; "
            "leave it out, or set gated=1 (gate_proj) or tied_head=0 (lm_head)"
        )
    model = random_decoder(
        seed,
        **shape,
        formats=own,
        **{name: settings[name] for name in FORMATS if name in settings},
        bits=Bits(**widths),
        **{**flags, "bias": tuple(kinds) if flags["bias"] else ()},
    )
    return dataclasses.replace(model, vocabulary=_characters(shape["vocab_size"]))


def _integer(name: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise UserError(
            f"random model setting {name!r} must be an integer ({name}=1), not {text!r}"
        ) from None


def _flag(name: str, text: str | bool) -> bool:
    if text in ("0", "1"):
        return text == "1"
    if isinstance(text, bool):
        return text
    raise UserError(f"random model setting {name!r} must be 0 or 1, not {text!r}")


def _characters(size: int) -> Vocabulary:
    pieces = [chr(FIRST_CHARACTER + i).encode("utf-8") for i in range(size)]
    ends = np.cumsum([len(piece) for piece in pieces], dtype=np.uint32)
    arrays = {
        "vocabulary.bytes": np.frombuffer(b"".join(pieces), np.uint8),
        "vocabulary.ends": ends,
    }
    facts = {"kind": "characters", "special": [], "bos": None, "eos": None, "stop": []}
    facts |= {"add_bos": False, "strip_first_space": False, "chat_template": None}
    return Vocabulary(arrays, facts)
