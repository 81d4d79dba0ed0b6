"""A decoder out of the tensors and scalars of its file: the inverse of :mod:`.tensors`."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ...support.errors import UserError
from ...support.file_facts import Facts
from ..config import ModelConfig
from ..trit_codec import from_digits, unpack_5in8
from .formats import WeightFormat, unpack_bits
from .matrix import Matrix
from .model import DecoderModel, LayerScalars, Norm, Vocabulary, naming
from .tensors import MATRIX_SCALARS, NORM_SCALARS, VOCABULARY_PREFIXES, dtype_of


class _Tensors:
    """Arrays by name; UserErrors for what is missing or of another type."""

    def __init__(self, arrays: Mapping[str, np.ndarray]):
        self.arrays = arrays
        self.left = set(arrays)

    def __call__(self, name: str) -> np.ndarray:
        array = self.optional(name)
        if array is None:
            raise UserError(f"tensor {name} is missing from the model")
        return array

    def optional(self, name: str) -> np.ndarray | None:
        array = self.arrays.get(name)
        self.left.discard(name)
        if array is not None and array.dtype != dtype_of(name):
            raise UserError(
                f"tensor {name} must hold {np.dtype(dtype_of(name))}, not {array.dtype}"
            )
        return array


def decoder_from_parts(
    config: ModelConfig, arrays: Mapping[str, np.ndarray], facts: Facts
) -> DecoderModel:
    """The model of a file's tensors (none of a float twin) and scalars.

    Raises UserError naming the first tensor or setting that is missing, superfluous or wrong.
    """
    tensor = _Tensors(arrays)
    settings = facts.table("matrices")
    matrices = {
        name: _matrix(config, name, tensor, settings.table(name))
        for name in config.all_matrix_names()
    }
    settings = facts.table("norms")
    norms = {}
    for name in config.norm_names():
        given = settings.table(name)
        numbers = {field: given.integer(field, 0) for field in NORM_SCALARS}
        bias = tensor(f"{name}.bias") if config.norm_bias else None
        norms[name] = Norm(gain=tensor(f"{name}.gain"), bias=bias, **numbers)
    learned = config.positions == "learned"
    vocabulary = Vocabulary(
        {name: a for name, a in arrays.items() if name.startswith(VOCABULARY_PREFIXES)},
        facts.table("vocabulary").content,
    )
    model = DecoderModel(
        config=config,
        matrices=matrices,
        norms=norms,
        layers=_layers(config, facts),
        attn_mult=tuple(tensor(f"layers.{i}.attn_mult") for i in range(config.n_layers)),
        head_shift=facts.integer("head_shift", 0),
        logit_scale=facts.number("logit_scale", positive=True),
        position_embedding=tensor("position_embedding") if learned else None,
        position_mult=facts.integer("position_mult", 0),
        position_shift=facts.integer("position_shift", 0),
        rotary_cos=None if learned else tensor("rotary.cos"),
        rotary_sin=None if learned else tensor("rotary.sin"),
        prefix=_prefix(facts),
        vocabulary=vocabulary,
    )
    superfluous = sorted(tensor.left - set(vocabulary.arrays))
    if superfluous:
        raise UserError(f"tensor {superfluous[0]} is none of the model's")
    return model


def _matrix(config: ModelConfig, name: str, tensor: _Tensors, facts: Facts) -> Matrix:
    with naming(name):
        kind = WeightFormat.parse(config.format_of(name))
    out, inp = config.matrix_shape(name)
    stored = tensor(f"{name}.{'trits' if kind.kind == 'trits' else 'codes'}")
    numbers = {field: facts.integer(field, 0) for field in MATRIX_SCALARS}
    with naming(name):
        if kind.kind == "trits":
            if len(stored) != kind.bits:
                raise UserError(f"{len(stored)} planes of trits must be {kind.bits}")
            planes = np.stack([unpack_5in8(plane, out * inp) for plane in stored])
            codes = from_digits(planes).astype(np.int8)
        else:
            codes = unpack_bits(stored, kind.bits, out * inp, signed=not kind.minimum)
    group_scale = tensor(f"{name}.group_scale") if kind.group else None
    group_min = tensor(f"{name}.group_min") if kind.minimum else None
    mult = tensor(f"{name}.mult")
    bias = tensor(f"{name}.bias") if config.has_bias(name) else None
    with naming(name):
        return Matrix(
            kind,
            codes.reshape(out, inp),
            mult,
            group_scale=group_scale,
            group_min=group_min,
            bias=bias,
            **numbers,
        )


def _layers(config: ModelConfig, facts: Facts) -> tuple[LayerScalars, ...]:
    given = facts.content.get("layers")
    if not isinstance(given, list) or len(given) != config.n_layers:
        raise UserError(f"setting layers must be a list of {config.n_layers} tables")
    names = ("score_shift", "attn_shift", "gate_frac", "hidden_shift")
    tables = [Facts(facts.where, entry, f"layers.{i}.") for i, entry in enumerate(given)]
    return tuple(LayerScalars(**{n: table.integer(n, 0) for n in names}) for table in tables)


def _prefix(facts: Facts) -> tuple[int, ...]:
    prefix = facts.content.get("prefix")
    if not isinstance(prefix, list):
        raise UserError(f"setting prefix must be a list of token ids, not {prefix!r}")
    return tuple(prefix)
