"""Widths of every accumulator, proven from the model: no overflow by construction."""

from __future__ import annotations

import dataclasses

import numpy as np

from gateformer.model.contract import arith
from gateformer.model.contract.config import ModelConfig
from gateformer.model.contract.integer_model import IntegerModel
from gateformer.model.support.errors import UserError

MAX_ACC_BITS = 32
"""Widest accumulator that is built; a model that needs more is refused."""


@dataclasses.dataclass(frozen=True)
class Bounds:
    """Signal widths in bits, two's complement.

    ``acc_width``: ternary accumulators; ``dot_width``: sums of query * key and of the output
    head per segment; ``logit_width``: logits; ``array_acc_width``: accumulators of the INT8
    array (weighted V, embedding sum).
    """

    acc_width: int
    dot_width: int
    logit_width: int
    array_acc_width: int


def prove_bounds(model: IntegerModel) -> Bounds:
    """Bounds from the weights themselves.

    Raises
    ------
    UserError
        Naming the tensor, if an accumulator would need more than :data:`MAX_ACC_BITS`.
    """
    acc = {f"{name}.weight": matrix.acc_bound for name, matrix in model.matrices.items()}
    logit = {"token_embedding": int(np.abs(model.token_embedding).sum(1).max()) * arith.ACT_MAX}
    return _bounds(model.config, acc, logit, model.token_mult + model.position_mult)


def _bounds(
    cfg: ModelConfig, acc: dict[str, int], logit: dict[str, int], embedding_mult: int
) -> Bounds:
    score = {"head_dim": cfg.head_dim * arith.ACT_MAX**2}
    embedding = arith.ACT_MAX * embedding_mult
    weighted = {"ctx_len": max(arith.EXP2.table[0] * cfg.ctx_len * arith.ACT_MAX, embedding)}
    return Bounds(
        acc_width=_width(acc),
        dot_width=_width({**logit, **score}),
        logit_width=_width(logit),
        array_acc_width=_width(weighted),
    )


def shape_bounds(config: ModelConfig) -> Bounds:
    """Bounds for every model of a shape: all weights as large as their digits allow.

    Raises
    ------
    UserError
        As :func:`prove_bounds`.
    """
    acc = {}
    for name in config.matrix_names():
        largest = arith.max_weight(config.digits_of(name))
        acc[f"{name}.weight"] = config.matrix_shape(name)[1] * largest * arith.ACT_MAX
    logit = {"token_embedding": config.d_model * arith.ACT_MAX**2}
    return _bounds(config, acc, logit, 2 * arith.MULT_MAX)


def _width(bounds: dict[str, int]) -> int:
    name, bound = max(bounds.items(), key=lambda item: item[1])
    width = arith.signed_width(int(bound))
    if width > MAX_ACC_BITS:
        raise UserError(
            f"{name} would need a {width}-bit accumulator (sums reach {bound}); the hardware "
            f"builds at most {MAX_ACC_BITS} bits: use fewer digits or a smaller size"
        )
    return width
