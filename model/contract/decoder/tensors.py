"""A decoder's integers as the tensors and scalars of its file (docs/number_contract_2.md)."""

from __future__ import annotations

import dataclasses

import numpy as np

from ..trit_codec import pack_5in8, to_digits
from .formats import pack_bits
from .matrix import Matrix

DTYPES = {
    "codes": np.uint8,
    "trits": np.uint8,
    "group_scale": np.uint8,
    "group_min": np.int8,
    "mult": np.uint16,
    "attn_mult": np.uint16,
    "bias": np.int32,
    "gain": np.int16,
    "position_embedding": np.int16,
    "cos": np.int16,
    "sin": np.int16,
}
"""Types by the last part of a tensor's name; those of the vocabulary are its own."""
MATRIX_SCALARS = ("shift", "min_shift", "bias_shift")
NORM_SCALARS = ("shift", "bias_shift", "eps")
VOCABULARY_PREFIXES = ("vocabulary.", "tokenizer.")
"""Of the names of tensors that :mod:`model.text` writes and reads."""


def tensors(model) -> dict[str, np.ndarray]:
    """All arrays of a :class:`.model.DecoderModel` by their names in the file."""
    arrays: dict[str, np.ndarray] = {}
    for name, matrix in model.matrices.items():
        arrays |= {f"{name}.{part}": array for part, array in _parts(matrix).items()}
    for name, norm in model.norms.items():
        arrays[f"{name}.gain"] = norm.gain
        if norm.bias is not None:
            arrays[f"{name}.bias"] = norm.bias
    for i, mult in enumerate(model.attn_mult):
        arrays[f"layers.{i}.attn_mult"] = mult
    if model.position_embedding is not None:
        arrays["position_embedding"] = model.position_embedding
    if model.rotary_cos is not None:
        arrays |= {"rotary.cos": model.rotary_cos, "rotary.sin": model.rotary_sin}
    typed = {name: np.asarray(array).astype(dtype_of(name)) for name, array in arrays.items()}
    return typed | dict(model.vocabulary.arrays)


def dtype_of(name: str) -> type:
    """Type of the tensor called ``name``."""
    return DTYPES[name.rsplit(".", 1)[-1]]


def _parts(matrix: Matrix) -> dict[str, np.ndarray]:
    kind = matrix.format
    if kind.kind == "trits":
        planes = to_digits(matrix.codes, kind.bits)
        parts = {"trits": np.stack([pack_5in8(plane) for plane in planes])}
    else:
        parts = {"codes": pack_bits(matrix.codes, kind.bits)}
    parts["mult"] = matrix.mult
    optional = ("group_scale", "group_min", "bias")
    return parts | {
        name: array for name in optional if (array := getattr(matrix, name)) is not None
    }


def scalars(model) -> dict:
    """All other facts of a :class:`.model.DecoderModel`, JSON-ready."""
    return {
        "matrices": {
            name: {field: getattr(matrix, field) for field in MATRIX_SCALARS}
            for name, matrix in model.matrices.items()
        },
        "norms": {
            name: {field: getattr(norm, field) for field in NORM_SCALARS}
            for name, norm in model.norms.items()
        },
        "layers": [dataclasses.asdict(layer) for layer in model.layers],
        "position_mult": model.position_mult,
        "position_shift": model.position_shift,
        "head_shift": model.head_shift,
        "logit_scale": model.logit_scale,
        "prefix": list(model.prefix),
        "vocabulary": dict(model.vocabulary.facts),
    }
