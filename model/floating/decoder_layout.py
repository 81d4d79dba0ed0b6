"""Which decoders of contract version 2 compression's models can hold, by their float twin."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from ..contract.config import MATRICES
from ..support.errors import UserError
from .checkpoints.source import SourceModel
from .decoder_shape import DecoderShape
from .shape import FloatShape
from .structure import Compressible, GPT2Layout
from .torch_decoder import TorchDecoder
from .torch_model import FUNCTIONS
from .twin import NORM_EPS

BOARDS = {"activation": ("relu",), "norm_bias": (False,), "bias": (frozenset(),)}
GPT2 = {
    "activation": tuple(FUNCTIONS),
    "norm_bias": (True,),
    "bias": (frozenset(MATRICES),),
}
"""Beside RMSNorm, and beside LayerNorm: the choices that compression's models have."""
ALL = {"positions": ("learned",), "gated": (False,), "tied_head": (True,)}


def layout_and_state(source: SourceModel) -> tuple[Compressible, dict[str, Tensor]]:
    """The layout of a float model that compression knows, and its state dict.

    Raises UserError naming the first choice that no such model has.
    """
    shape, rms = source.shape, source.shape.norm == "rms"
    known = {
        **ALL,
        "n_kv_heads": (shape.n_heads,),
        **(BOARDS if rms else GPT2),
        "norm_eps": (float(np.float32(NORM_EPS)),) if rms else (shape.norm_eps,),
    }
    for name, values in known.items():
        if (value := getattr(shape, name)) not in values:
            raise UserError(_refusal(source.name, name, value, rms))
    state = TorchDecoder.from_tensors(shape, source.tensors).state_dict()
    return _layout(shape), state


def _layout(shape: DecoderShape) -> Compressible:
    sizes = FloatShape.of(shape)
    if shape.norm == "rms":
        return Compressible(sizes)
    return GPT2Layout(sizes, shape.activation, shape.norm_eps)


def _refusal(model: str, name: str, value, rms: bool) -> str:
    if isinstance(value, frozenset):
        value = ", ".join(kind for kind in MATRICES if kind in value) or "none"
    others = "ReLU, no biases" if rms else "biases everywhere"
    return (
        f"{model} has {name} {value}, which compression's models have not (with this norm: "
        f"learned positions, no gate, {others}, a tied head, no shared keys); for other weights: "
        "gateformer import with --bits, or --bits auto"
    )
