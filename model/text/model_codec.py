"""The tokenizer of a model of either version of the number contract."""

from __future__ import annotations

from ..contract.decoder.model import DecoderModel
from ..contract.integer_model import IntegerModel
from ..support.errors import UserError
from .codec import TextCodec
from .codec_arrays import from_arrays


def codec_of(model: IntegerModel | DecoderModel) -> TextCodec:
    """The codec that the model's artifact carries; UserError if it is damaged."""
    if isinstance(model, DecoderModel):
        return from_arrays(model.vocabulary.arrays, model.vocabulary.facts)
    return TextCodec.of_characters(model.vocabulary)


def prompt_tokens(codec: TextCodec, text: str) -> list[int]:
    """Token ids of a prompt, with the token that begins a text if the model has one.

    Raises UserError if there are none.
    """
    tokens = codec.begun(codec.encode(text))
    if not tokens:
        raise UserError("the prompt must have at least 1 token, but is empty")
    return tokens
