"""Configs of version 2 by their shape alone, and layouts of them."""

from __future__ import annotations

from gateformer.gateware.decoder.layout import DecoderLayout
from gateformer.model.contract.config import Bits, ModelConfig

SHAPE = {"vocab_size": 7, "n_layers": 1, "ctx_len": 5}


def config(*, bits: Bits | None = None, **shape) -> ModelConfig:
    """Of ungated layers with INT8 weights; ``shape`` goes before :data:`SHAPE`."""
    shape = {**SHAPE, **shape}
    kinds = ("q", "k", "v", "o", "up", "down")
    names = [f"layers.{i}.{kind}_proj" for i in range(shape["n_layers"]) for kind in kinds]
    formats = dict.fromkeys(["token_embedding", *names], "int8")
    return ModelConfig(**shape, bits=bits or Bits(), formats=formats)


def layout(most_lanes: int, **shape) -> DecoderLayout:
    return DecoderLayout(config(**shape), most_lanes)
