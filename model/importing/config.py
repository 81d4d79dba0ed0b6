"""The config that an artifact is going to have, and its room for a text: known before the work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..contract.choices import Bits
from ..contract.config import ModelConfig
from ..contract.decoder.model import MAX_CTX_LEN, check_config
from ..floating.decoder_shape import DecoderShape
from ..support.errors import UserError
from .choice import HEAD_FORMAT

SAME = (
    *("vocab_size", "d_model", "n_heads", "n_layers", "d_ff", "n_kv_heads", "head_dim"),
    *("norm", "norm_bias", "positions", "activation", "gated", "tied_head"),
)
"""Settings that an artifact has from its model."""


def positions_of(shape: DecoderShape, asked: int | None = None) -> int:
    """Positions of the artifact: those ``asked`` for, by default the model's.

    Raises UserError if the model, or the contract, has fewer.
    """
    context = shape.ctx_len if asked is None else asked
    if not 1 <= context <= shape.ctx_len:
        raise UserError(
            f"the context must be 1 to {shape.ctx_len} tokens, the model's, not {context}"
        )
    if context > MAX_CTX_LEN:
        raise UserError(
            f"the context must be at most {MAX_CTX_LEN} tokens, not {context}; give a smaller "
            "--context"
        )
    return context


def matrix_names(shape: DecoderShape) -> list[str]:
    """The names of all matrices."""
    layers = [f"layers.{i}.{kind}" for i in range(shape.n_layers) for kind in shape.kinds]
    return ["token_embedding", *layers, *(() if shape.tied_head else ("lm_head",))]


def config_of(
    shape: DecoderShape, context: int, bits: Bits, formats: Mapping[str, str] | None = None
) -> ModelConfig:
    """The config of an artifact; ``formats`` of its matrices, if they are known.

    Raises UserError if the contract has no such model.
    """
    if formats is None:
        formats = dict.fromkeys(matrix_names(shape), HEAD_FORMAT)
    config = ModelConfig(
        **{name: getattr(shape, name) for name in SAME},
        ctx_len=context,
        bias=tuple(sorted(shape.bias)),
        formats=formats,
        bits=bits,
    )
    check_config(config)
    return config


def require_room(context: int, prefix: Sequence[int], begins: bool, measured: bool) -> None:
    """Raise UserError unless a text has room in ``context`` behind ``prefix``.

    ``begins``: it begins with a token of its own, which leaves the measurement nothing to predict
    if there is no other.
    """
    if len(prefix) >= context:
        raise UserError(
            f"--prefix has {len(prefix)} tokens, which leave no room for a text in a context of "
            f"{context}; give fewer, or a longer --context"
        )
    if measured and context - len(prefix) - begins < 1:
        raise UserError(
            f"a context of {context} is too short to measure; give a longer --context, or add "
            "--no-measure"
        )
