"""The float twin inside an artifact of contract version 2: what its integers were made from."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...contract.artifact import Artifact, load
from ...contract.config import ModelConfig
from ...contract.decoder.model import DecoderModel
from ...support.errors import UserError
from ..decoder_shape import DecoderShape
from .source import SourceModel

KIND, FAMILY = "gateformer artifact", "trained by gateformer"
EPS, FREQUENCIES = "norm_eps", "inverse_frequencies"
"""Of the shape, what the integers do not tell: float tensors beside the weights."""


def twin_weights(source: SourceModel) -> dict[str, np.ndarray]:
    """What an artifact keeps of its float model: float32 arrays, by name."""
    return {
        **{name: np.asarray(source.tensors[name], np.float32) for name in source.tensors},
        EPS: np.array(source.shape.norm_eps, np.float32),
        FREQUENCIES: np.array(source.shape.inverse_frequencies, np.float32),
    }


def twin_of(artifact: Artifact) -> SourceModel | None:
    """The float model inside an artifact of version 2; None if it has none.

    Raises UserError naming a tensor that is missing or does not fit the artifact's shape.
    """
    weights = dict(artifact.float_weights)
    if not weights:
        return None
    shape = _shape(artifact.model.config, _taken(weights, EPS, ()), weights)
    expected = shape.tensor_shapes()
    tensors = {name: _taken(weights, name, size) for name, size in expected.items()}
    for name in weights:
        raise UserError(f"float weight {name} is not supported; it is none of this model's")
    return SourceModel(artifact.name, KIND, FAMILY, shape, tensors)


def open_twin(path: Path) -> SourceModel:
    """The same of the artifact at ``path``; UserError if it is of version 1 or has no twin."""
    artifact = load(path)
    if not isinstance(artifact.model, DecoderModel):
        raise UserError(
            f"{path} is of number contract version 1: its integers were trained, not made from "
            "float weights; expected a model of version 2 that gateformer train wrote"
        )
    twin = twin_of(artifact)
    if twin is None:
        raise UserError(f"{path} keeps no float weights; name the model that it was imported from")
    return twin


def _shape(cfg: ModelConfig, eps: np.ndarray, weights: dict[str, np.ndarray]) -> DecoderShape:
    pairs = cfg.head_dim // 2 if cfg.positions == "rotary" else 0
    frequencies = _taken(weights, FREQUENCIES, (pairs,))
    return DecoderShape.of(cfg, float(eps), frequencies.tolist())


def _taken(weights: dict[str, np.ndarray], name: str, shape: tuple[int, ...]) -> np.ndarray:
    if name not in weights:
        raise UserError(f"float weight {name} is missing")
    array = weights.pop(name)
    if array.shape != shape:
        raise UserError(f"float weight {name} must have shape {shape}, not {array.shape}")
    return array
