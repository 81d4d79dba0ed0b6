"""The trained model as integers: everything the hardware needs, and nothing else."""

from __future__ import annotations

import dataclasses

import numpy as np

from ..support.errors import UserError
from ..support.numbers import check_integer
from . import arith
from .config import ModelConfig
from .digest import model_digest
from .per_matrix import check_names


@dataclasses.dataclass(frozen=True, eq=False)
class Matrix:
    """One quantized matrix.

    ``weight`` int64 [out, in] in ±max_weight(digits); ``mult`` int64 [out] in 0..255 and
    ``shift`` 0..31 are its requantizer; ``digits`` its balanced-ternary digits per weight.
    """

    weight: np.ndarray
    mult: np.ndarray
    shift: int
    digits: int

    @property
    def acc_bound(self) -> int:
        """Largest \\|accumulator\\| that any INT8 input can cause."""
        return int(np.abs(self.weight).sum(axis=1).max(initial=0)) * arith.ACT_MAX


@dataclasses.dataclass(frozen=True, eq=False)
class Norm:
    """RMSNorm: ``gain`` int64 [d_model] in -127..127 and the shift after it."""

    gain: np.ndarray
    shift: int


@dataclasses.dataclass(frozen=True, eq=False)
class IntegerModel:
    """A quantized transformer, validated on construction.

    Parameters
    ----------
    config : ModelConfig
    token_embedding : int array [vocab_size, d_model], -127..127; also the output head
    position_embedding : int array [ctx_len, d_model], -127..127
    token_mult, position_mult : int, 1..255
    matrices : dict of name to Matrix (``config.matrix_names()``)
    norms : dict of name to Norm (``config.norm_names()``)
    score_shifts : tuple of int, one per layer; scores after it are in 1/32 octaves
    logit_scale : float, nats per unit of the integer logits
    vocabulary : tuple of str, one per token id; empty strings for ids without a text

    Raises
    ------
    UserError
        Naming the tensor, when a shape or a range is violated.
    """

    config: ModelConfig
    token_embedding: np.ndarray
    position_embedding: np.ndarray
    token_mult: int
    position_mult: int
    matrices: dict[str, Matrix]
    norms: dict[str, Norm]
    score_shifts: tuple[int, ...]
    logit_scale: float
    vocabulary: tuple[str, ...]

    def __post_init__(self):
        cfg = self.config
        _check_tensor(
            "token_embedding", self.token_embedding, (cfg.vocab_size, cfg.d_model), arith.ACT_MAX
        )
        _check_tensor(
            "position_embedding", self.position_embedding, (cfg.ctx_len, cfg.d_model), arith.ACT_MAX
        )
        check_integer("token_mult", self.token_mult, 1, arith.MULT_MAX)
        check_integer("position_mult", self.position_mult, 1, arith.MULT_MAX)
        check_names("matrices", self.matrices, cfg.matrix_names())
        for name, matrix in self.matrices.items():
            shape = cfg.matrix_shape(name)
            if matrix.digits != cfg.digits_of(name):
                raise UserError(
                    f"{name} has {matrix.digits} digits, the config says {cfg.digits_of(name)}"
                )
            bound = arith.max_weight(matrix.digits)
            kind = "ternary" if matrix.digits == 1 else f"{matrix.digits}-digit ternary"
            _check_tensor(f"{name}.weight", matrix.weight, shape, bound, f"{kind} weights")
            _check_tensor(f"{name}.mult", matrix.mult, shape[:1], arith.MULT_MAX, low=0)
            check_integer(f"{name}.shift", matrix.shift, 0, arith.MAX_SHIFT)
        check_names("norms", self.norms, cfg.norm_names())
        for name, norm in self.norms.items():
            _check_tensor(f"{name}.gain", norm.gain, (cfg.d_model,), arith.ACT_MAX)
            check_integer(f"{name}.shift", norm.shift, 0, arith.MAX_SHIFT)
        if len(self.score_shifts) != cfg.n_layers:
            raise UserError(
                f"score_shifts must have {cfg.n_layers} entries, not {len(self.score_shifts)}"
            )
        for i, shift in enumerate(self.score_shifts):
            check_integer(f"layers.{i}.score_shift", shift, 0, arith.MAX_SHIFT)
        if not (np.isfinite(self.logit_scale) and self.logit_scale > 0):
            raise UserError(f"logit_scale must be a positive number, not {self.logit_scale!r}")
        if len(self.vocabulary) != cfg.vocab_size:
            raise UserError(
                f"vocabulary must have {cfg.vocab_size} entries, not {len(self.vocabulary)}"
            )

    def tensors(self) -> dict[str, np.ndarray]:
        """All integer arrays by their names in the artifact, in the smallest dtype."""
        arrays = {
            "token_embedding": self.token_embedding.astype(np.int8),
            "position_embedding": self.position_embedding.astype(np.int8),
        }
        for name, matrix in self.matrices.items():
            arrays[f"{name}.weight"] = matrix.weight.astype(np.int8)
            arrays[f"{name}.mult"] = matrix.mult.astype(np.uint8)
        for name, norm in self.norms.items():
            arrays[f"{name}.gain"] = norm.gain.astype(np.int8)
        return arrays

    def scalars(self) -> dict:
        """All other facts, JSON-ready."""
        return {
            "token_mult": self.token_mult,
            "position_mult": self.position_mult,
            "shifts": {
                **{name: m.shift for name, m in self.matrices.items()},
                **{name: n.shift for name, n in self.norms.items()},
            },
            "score_shifts": list(self.score_shifts),
            "logit_scale": self.logit_scale,
            "vocabulary": list(self.vocabulary),
        }

    @classmethod
    def from_parts(cls, config: ModelConfig, tensors: dict, scalars: dict) -> IntegerModel:
        """Inverse of :meth:`tensors` and :meth:`scalars`.

        Raises UserError naming the first missing tensor or setting.
        """

        def tensor(name):
            if name not in tensors:
                raise UserError(f"tensor {name} is missing from the model")
            return np.asarray(tensors[name]).astype(np.int64)

        def scalar(name, table=scalars):
            if name not in table:
                raise UserError(f"setting {name} is missing from the model")
            return table[name]

        shifts = scalar("shifts")
        return cls(
            config=config,
            token_embedding=tensor("token_embedding"),
            position_embedding=tensor("position_embedding"),
            token_mult=scalar("token_mult"),
            position_mult=scalar("position_mult"),
            matrices={
                name: Matrix(
                    tensor(f"{name}.weight"),
                    tensor(f"{name}.mult"),
                    scalar(name, shifts),
                    config.digits_of(name),
                )
                for name in config.matrix_names()
            },
            norms={
                name: Norm(tensor(f"{name}.gain"), scalar(name, shifts))
                for name in config.norm_names()
            },
            score_shifts=tuple(scalar("score_shifts")),
            logit_scale=float(scalar("logit_scale")),
            vocabulary=tuple(scalar("vocabulary")),
        )

    @property
    def digest(self) -> str:
        """SHA-256 (hex) over spec version, config, scalars and tensors: the model's identity."""
        facts = (self.config.to_dict(), self.scalars(), self.tensors())
        return model_digest(arith.SPEC_VERSION, *facts)


def _check_tensor(name, array, shape, bound, what="values", low=None):
    low = -bound if low is None else low
    if tuple(array.shape) != tuple(shape):
        raise UserError(f"{name} must have shape {tuple(shape)}, not {tuple(array.shape)}")
    outside = array[(array < low) | (array > bound)]
    if outside.size:
        raise UserError(f"{name} must hold {what} in {low}..{bound}, but has {outside.flat[0]}")
