"""A model that was trained here as tensors and scalars of its file (docs/number_contract.md)."""

from __future__ import annotations

import math

import numpy as np

from ..support.errors import UserError
from ..support.file_facts import Facts
from . import arith, trit_codec
from .config import ModelConfig
from .integer_model import IntegerModel


def trained_from_parts(
    config: ModelConfig, tensors: dict[str, np.ndarray], facts: Facts
) -> IntegerModel:
    """The model of a file's tensors and scalars; UserError naming what is missing or wrong."""
    scalars = _checked_scalars(config, facts)
    return IntegerModel.from_parts(config, _unpack(config, tensors), scalars)


def trained_tensors(model: IntegerModel) -> dict[str, np.ndarray]:
    """The model's tensors with every ``….weight`` replaced by ``….trits`` [digits, bytes]."""
    tensors = model.tensors()
    for name, matrix in model.matrices.items():
        del tensors[f"{name}.weight"]
        planes = trit_codec.to_digits(matrix.weight, matrix.digits)
        tensors[f"{name}.trits"] = np.stack([trit_codec.pack_5in8(plane) for plane in planes])
    return tensors


def _unpack(config: ModelConfig, tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    tensors = dict(tensors)
    for name in config.matrix_names():
        key = f"{name}.trits"
        if key not in tensors:
            raise UserError(f"tensor {key} is missing from the model")
        packed, digits, shape = tensors.pop(key), config.digits_of(name), config.matrix_shape(name)
        if packed.ndim != 2 or len(packed) != digits:
            raise UserError(f"{key} must have {digits} planes, but has shape {packed.shape}")
        try:
            planes = [trit_codec.unpack_5in8(plane, math.prod(shape)) for plane in packed]
        except UserError as error:
            raise UserError(f"{key}: {error}") from None
        tensors[f"{name}.weight"] = trit_codec.from_digits(np.stack(planes)).reshape(shape)
    return tensors


def _checked_scalars(config: ModelConfig, facts: Facts) -> dict:
    """What :meth:`.IntegerModel.scalars` gave, each of its kind and in its range."""
    shifts, scores = facts.table("shifts"), facts.items("score_shifts")
    texts = facts.items("vocabulary")
    return {
        "token_mult": facts.integer("token_mult", 1, arith.MULT_MAX),
        "position_mult": facts.integer("position_mult", 1, arith.MULT_MAX),
        "shifts": {
            name: shifts.integer(name, 0, arith.MAX_SHIFT)
            for name in (*config.matrix_names(), *config.norm_names())
        },
        "score_shifts": [scores.integer(name, 0, arith.MAX_SHIFT) for name in scores],
        "logit_scale": facts.number("logit_scale", positive=True),
        "vocabulary": [texts.text(name) for name in texts],
    }
