"""An integer decoder as floats again: what its integers say, without the rounding of activations.

Only products of neighbouring scales matter to the function, so the units between matrices are
chosen here; they are not those of the model that was imported.
"""

from __future__ import annotations

import dataclasses
import functools
import math

import numpy as np

from ..contract.decoder import arith
from ..contract.decoder.matrix import Matrix
from ..contract.decoder.model import DecoderModel, Norm
from ..support.errors import UserError
from .checkpoints.source import SourceModel
from .decoder_shape import DecoderShape
from .twin import NORM_EPS

KIND = "dequantized artifact"


@dataclasses.dataclass(frozen=True, eq=False)
class Dequantized:
    """A decoder's integers and the real values of one of each.

    Parameters
    ----------
    model : DecoderModel
    shape : DecoderShape
    factors : dict of matrix name to float64 [out]: real weights are ``Matrix.weight() * factor``
    others : dict of tensor name to float32 array: norms, biases, positions
    """

    model: DecoderModel
    shape: DecoderShape
    factors: dict[str, np.ndarray]
    others: dict[str, np.ndarray]

    @functools.cached_property
    def tensors(self) -> dict[str, np.ndarray]:
        """All weights, float32, by :meth:`DecoderShape.tensor_shapes`."""
        matrices = {
            name: (matrix.weight() * self.factors[name][:, None]).astype(np.float32)
            for name, matrix in self.model.matrices.items()
        }
        return matrices | self.others

    def source(self, name: str) -> SourceModel:
        """The float model, called ``name``."""
        return SourceModel(name, KIND, KIND, self.shape, self.tensors)


def dequantize(model: DecoderModel) -> Dequantized:
    """The float decoder of the same function up to the rounding and limits of activations.

    Raises UserError if its norms have different epsilons, which a float decoder has not.
    """
    return _Units(model).result()


class _Units:
    def __init__(self, model: DecoderModel):
        self.model, self.config = model, model.config
        epsilons = {max(norm.eps, 1) for norm in model.norms.values()}
        if len(epsilons) > 1:
            raise UserError(
                f"eps of the norms is {min(epsilons)} and {max(epsilons)}; a float decoder has one "
                "for all"
            )
        self.residual = math.sqrt(NORM_EPS * self.config.d_model / epsilons.pop())
        self.factors: dict[str, np.ndarray] = {}
        self.others: dict[str, np.ndarray] = {}

    def result(self) -> Dequantized:
        model, cfg = self.model, self.config
        embedding = model.matrices["token_embedding"]
        self.factors["token_embedding"] = embedding.mult * 2.0**-embedding.shift * self.residual
        if model.position_embedding is not None:
            unit = model.position_mult * 2.0**-model.position_shift * self.residual
            self._add("position_embedding", model.position_embedding * unit)
        for i in range(cfg.n_layers):
            self._attention(i)
            self._feed_forward(i)
        if cfg.tied_head:  # the embedding's factors are the head's up to one number
            unit = model.logit_scale * 2.0 ** (embedding.shift - model.head_shift) / self.residual
            self._norm("final_norm", unit)
        else:
            self._matrix("lm_head", self._norm("final_norm"), model.logit_scale)
        return Dequantized(model, self._shape(), self.factors, self.others)

    def _attention(self, i: int) -> None:
        cfg, at, scalars = self.config, f"layers.{i}.", self.model.layers[i]
        normed = self._norm(f"{at}attn_norm")
        octave = math.log(2) * 2.0 ** -(arith.EXP2_FRAC_BITS + scalars.score_shift)
        score = math.sqrt(octave * math.sqrt(cfg.head_dim))  # of q, and of k as it is kept
        turned = cfg.bits.key - cfg.bits.query if cfg.positions == "rotary" else 0
        self._matrix(f"{at}q_proj", normed, score)
        self._matrix(f"{at}k_proj", normed, score * 2.0**turned)
        mult = np.asarray(self.model.attn_mult[i], np.float64)
        attn = 1 / max(float(mult.max()), 1)
        value = mult * 2.0 ** (arith.MEAN_V_BITS - scalars.attn_shift) * attn
        self._matrix(f"{at}v_proj", normed, value)
        self._matrix(f"{at}o_proj", attn, self.residual)

    def _feed_forward(self, i: int) -> None:
        cfg, at, scalars = self.config, f"layers.{i}.", self.model.layers[i]
        normed, gate = self._norm(f"{at}ffn_norm"), 2.0**-scalars.gate_frac
        hidden = gate * 2.0 ** (scalars.hidden_shift + arith.GATE_OUT_SHIFT) / arith.GATE_ONE
        self._matrix(f"{at}up_proj", normed, gate)
        if cfg.gated:
            self._matrix(f"{at}gate_proj", normed, gate)
            hidden *= gate
        self._matrix(f"{at}down_proj", hidden, self.residual)

    def _norm(self, name: str, unit: float | None = None) -> float:
        """Adds a norm; the unit of its output, with which its gains are about 1 if not given."""
        norm: Norm = self.model.norms[name]
        gain = np.asarray(norm.gain, np.float64) * 2.0 ** (arith.NORM_FRAC_BITS - norm.shift)
        if unit is None:
            unit = 1 / max(float(np.sqrt(np.mean(gain * gain))), 1e-30)
        self._add(name, gain * unit)
        if norm.bias is not None:
            bias = np.asarray(norm.bias, np.float64)
            self._add(f"{name}.bias", bias * 2.0 ** (norm.bias_shift - norm.shift) * unit)
        return unit

    def _matrix(self, name: str, in_unit: float, out_unit: float | np.ndarray) -> None:
        matrix: Matrix = self.model.matrices[name]
        self.factors[name] = matrix.mult * 2.0**-matrix.shift * out_unit / in_unit
        if matrix.has_bias:
            bias = np.asarray(matrix.bias, np.float64)
            self._add(f"{name}.bias", bias * 2.0 ** (matrix.bias_shift - matrix.shift) * out_unit)

    def _add(self, name: str, array: np.ndarray) -> None:
        self.others[name] = array.astype(np.float32)

    def _shape(self) -> DecoderShape:
        turns = ()
        if self.config.positions == "rotary":
            turns = inverse_frequencies(self.model.rotary_cos, self.model.rotary_sin)
        return DecoderShape.of(self.config, NORM_EPS, turns)


def inverse_frequencies(cos: np.ndarray, sin: np.ndarray) -> tuple[float, ...]:
    """Radians per position of tables [positions, pairs]: each, from small positions to large ones,
    as exact as the angle there is known."""
    angles = np.arctan2(np.asarray(sin, np.float64), np.asarray(cos, np.float64))
    found, position = np.zeros(angles.shape[1]), 1
    while position < len(angles):
        # the whole turns are known from the estimate so far
        turns = np.rint((found * position - angles[position]) / (2 * math.pi))
        found = (angles[position] + 2 * math.pi * turns) / position
        position *= 2
    return tuple(found.tolist())
