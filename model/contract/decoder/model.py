"""An imported model as integers: everything that its function needs, and nothing else."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import math
from collections.abc import Iterator, Mapping

import numpy as np

from ...support.errors import UserError
from ...support.numbers import check_integer
from ..config import ModelConfig
from ..digest import model_digest
from ..per_matrix import check_names
from . import arith
from .formats import WeightFormat
from .matrix import MAX_BIAS, MAX_BIAS_SHIFT, MAX_SHIFT, Matrix, check_range
from .tensors import scalars, tensors

SPEC_VERSION = 2
MAX_SMALL_SHIFT = 40
MAX_EPS = 2**61
MAX_GAIN = 2**15 - 1
MAX_TURN = 2**arith.ROTARY_BITS
MAX_CTX_LEN = 2**16
"""Sums of probabilities times values times their reciprocal stay below 2**62."""


@dataclasses.dataclass(frozen=True, eq=False)
class Norm:
    """``gain`` [d_model] ±32767, ``shift`` 0..40, ``eps`` in squares of the residual's unit, summed
    over d_model; ``bias`` [d_model] or None, and ``bias_shift`` 0..30."""

    gain: np.ndarray
    shift: int
    eps: int
    bias: np.ndarray | None = None
    bias_shift: int = 0


@dataclasses.dataclass(frozen=True)
class LayerScalars:
    """Shifts of one layer, each 0..40 (``gate_frac`` 0..14)."""

    score_shift: int
    attn_shift: int
    gate_frac: int
    hidden_shift: int


@dataclasses.dataclass(frozen=True, eq=False)
class Vocabulary:
    """What :mod:`model.text` keeps in an artifact: ``arrays`` by the names of their tensors, and
    JSON-ready ``facts``."""

    arrays: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)
    facts: Mapping = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, eq=False)
class DecoderModel:
    """A quantized GPT-2- or Llama-type transformer, checked on construction.

    Parameters
    ----------
    config : ModelConfig of version 2
    matrices : dict of name to Matrix (``config.all_matrix_names()``)
    norms : dict of name to Norm (``config.norm_names()``)
    layers : tuple of LayerScalars
    attn_mult : tuple of int arrays [n_kv_heads * head_dim], 0..65535, one per layer
    head_shift : int, 0..62, the output head's if it is tied (else 0: its matrix has one)
    logit_scale : float, nats per unit of the logits
    position_embedding : int array [ctx_len, d_model] ±32767 of learned positions, with
        ``position_mult`` 0..65535 and ``position_shift`` 0..40
    rotary_cos, rotary_sin : int arrays [ctx_len, head_dim / 2], ±2**14, of rotary positions
    prefix : tuple of token ids that are fed before every text
    vocabulary : Vocabulary

    Raises
    ------
    UserError
        Naming the tensor or setting that is out of range.
    """

    config: ModelConfig
    matrices: dict[str, Matrix]
    norms: dict[str, Norm]
    layers: tuple[LayerScalars, ...]
    attn_mult: tuple[np.ndarray, ...]
    head_shift: int
    logit_scale: float
    position_embedding: np.ndarray | None = None
    position_mult: int = 0
    position_shift: int = 0
    rotary_cos: np.ndarray | None = None
    rotary_sin: np.ndarray | None = None
    prefix: tuple[int, ...] = ()
    vocabulary: Vocabulary = dataclasses.field(default_factory=Vocabulary)

    def __post_init__(self):
        cfg = self.config
        check_config(cfg)
        self._check_matrices()
        self._check_norms()
        if len(self.layers) != cfg.n_layers or len(self.attn_mult) != cfg.n_layers:
            raise UserError(f"layers and attn_mult must have {cfg.n_layers} entries")
        for i, (layer, mult) in enumerate(zip(self.layers, self.attn_mult, strict=True)):
            for name, value in dataclasses.asdict(layer).items():
                most = arith.GATE_FRAC_BITS if name == "gate_frac" else MAX_SMALL_SHIFT
                check_integer(f"layers.{i}.{name}", value, 0, most)
            check_range(f"layers.{i}.attn_mult", mult, (cfg.cache_width,), 0, arith.MAX_MULT)
        check_integer("head_shift", self.head_shift, 0, MAX_SHIFT if cfg.tied_head else 0)
        scale = self.logit_scale
        if isinstance(scale, bool) or not isinstance(scale, float | int) or not scale > 0:
            raise UserError(f"logit_scale must be a positive number, not {scale!r}")
        if not math.isfinite(scale):
            raise UserError(f"logit_scale must be a positive number, not {scale!r}")
        self._check_positions()
        if len(self.prefix) >= cfg.ctx_len:
            raise UserError(
                f"prefix must be shorter than the context of {cfg.ctx_len}, not {len(self.prefix)}"
            )
        for token in self.prefix:
            check_integer("a token of prefix", token, 0, cfg.vocab_size - 1)

    def _check_matrices(self) -> None:
        cfg = self.config
        check_names("matrices", self.matrices, cfg.all_matrix_names())
        for name in cfg.all_matrix_names():
            matrix = self.matrices[name]
            with naming(name):
                if matrix.format != WeightFormat.parse(cfg.format_of(name)):
                    raise UserError(f"format is {matrix.format}, not {cfg.format_of(name)}")
                if matrix.shape != cfg.matrix_shape(name):
                    raise UserError(
                        f"codes must have shape {cfg.matrix_shape(name)}, not {matrix.shape}"
                    )
                if matrix.has_bias != cfg.has_bias(name):
                    raise UserError(
                        "bias is missing" if cfg.has_bias(name) else "bias is one too many"
                    )
                largest = matrix.row_bound * arith.limit(self.input_bits(name))
                if largest >= arith.MAX_ROW_BOUND:
                    raise UserError(f"sums may reach {largest}; they must stay below 2**46")

    def _check_norms(self) -> None:
        cfg = self.config
        check_names("norms", self.norms, cfg.norm_names())
        for name in cfg.norm_names():
            norm = self.norms[name]
            check_range(f"{name}.gain", norm.gain, (cfg.d_model,), -MAX_GAIN, MAX_GAIN)
            check_integer(f"{name}.shift", norm.shift, 0, MAX_SMALL_SHIFT)
            check_integer(f"{name}.eps", norm.eps, 0, MAX_EPS)
            most = MAX_BIAS_SHIFT if cfg.norm_bias else 0
            check_integer(f"{name}.bias_shift", norm.bias_shift, 0, most)
            if (norm.bias is not None) != cfg.norm_bias:
                raise UserError(f"{name}.bias is {'missing' if cfg.norm_bias else 'one too many'}")
            if norm.bias is not None:
                check_range(f"{name}.bias", norm.bias, (cfg.d_model,), -MAX_BIAS, MAX_BIAS)

    def _check_positions(self) -> None:
        cfg, learned = self.config, self.config.positions == "learned"
        turns = (cfg.ctx_len, cfg.head_dim // 2)
        tables = {
            "position_embedding": (learned, (cfg.ctx_len, cfg.d_model), MAX_GAIN),
            "rotary_cos": (not learned, turns, MAX_TURN),
            "rotary_sin": (not learned, turns, MAX_TURN),
        }
        for name, (expected, shape, most) in tables.items():
            table = getattr(self, name)
            if (table is not None) != expected:
                raise UserError(f"{name} is {'missing' if expected else 'one too many'}")
            if expected:
                check_range(name, table, shape, -most, most)
        check_integer("position_mult", self.position_mult, 0, arith.MAX_MULT if learned else 0)
        check_integer("position_shift", self.position_shift, 0, MAX_SMALL_SHIFT if learned else 0)

    def input_bits(self, name: str) -> int:
        """Bits of the activations that enter the matrix called ``name``."""
        bits = self.config.bits
        kind = name.rsplit(".", 1)[-1]
        return {"o_proj": bits.attention, "down_proj": bits.hidden}.get(kind, bits.norm)

    @property
    def head(self) -> tuple[Matrix, int]:
        """The matrix that gives the logits, and the shift after it."""
        matrix = self.matrices[self.config.head_name]
        return matrix, self.head_shift if self.config.tied_head else matrix.shift

    @functools.cached_property
    def digest(self) -> str:
        """SHA-256 (hex) over spec version, config, scalars and tensors: the model's identity."""
        facts = (self.config.to_dict(), scalars(self), tensors(self))
        return model_digest(SPEC_VERSION, *facts)


def check_config(config: ModelConfig) -> None:
    """Raise UserError unless there can be a decoder of this config, whatever its numbers."""
    if config.spec_version != SPEC_VERSION:
        raise UserError("a decoder's config must have the widths of its numbers, bits")
    if 2 ** (2 * config.bits.residual) * config.d_model >= arith.MAX_SQUARES:
        raise UserError(
            f"a residual of {config.bits.residual} bits is too wide for d_model {config.d_model}"
        )
    if config.ctx_len > MAX_CTX_LEN:
        raise UserError(f"ctx_len must be at most {MAX_CTX_LEN}, not {config.ctx_len}")


@contextlib.contextmanager
def naming(name: str) -> Iterator[None]:
    """UserErrors within it begin with the matrix' name."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{name}: {error}") from None
