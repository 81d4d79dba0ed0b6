"""A float decoder and its ranges become a DecoderModel."""

from __future__ import annotations

import math

import numpy as np

from ..contract.config import ModelConfig
from ..contract.decoder import arith
from ..contract.decoder.formats import WeightFormat
from ..contract.decoder.matrix import MAX_BIAS, MAX_BIAS_SHIFT, MAX_SHIFT, Matrix
from ..contract.decoder.model import (
    MAX_EPS,
    MAX_GAIN,
    MAX_SMALL_SHIFT,
    DecoderModel,
    LayerScalars,
    Norm,
    Vocabulary,
)
from ..floating.checkpoints.native_blocks import NativeBlocks, as_float
from ..floating.checkpoints.source import SourceModel
from ..support.errors import UserError
from .calibration import Progress, Ranges
from .choice import HEAD_FORMAT, NATIVE, Choice
from .config import config_of, matrix_names, positions_of
from .massive import MOST_NOISE, channel_factors, noise
from .matrices import embedding_matrix, integer_matrix
from .scales import (
    LayerScales,
    fixed_point,
    layer_scales,
    logit_unit,
    multipliers,
    residual_unit,
    smallest_unit,
)

BEHIND = {
    "attn_norm": ("q_proj", "k_proj", "v_proj"),
    "ffn_norm": ("gate_proj", "up_proj"),
}
"""The matrices that a norm's output enters."""


def quantize(
    source: SourceModel,
    ranges: Ranges,
    choice: Choice | None = None,
    context: int | None = None,
    vocabulary: Vocabulary | None = None,
    progress: Progress | None = None,
) -> DecoderModel:
    """The integers of a model that somebody else trained.

    Parameters
    ----------
    source : SourceModel, or whatever has its ``shape`` and ``tensors``
    ranges : Ranges of the same model (:func:`.calibration.calibrate`)
    choice : Choice, default int8
    context : int, positions of the result, at most the source's (default: all)
    vocabulary : Vocabulary that the artifact keeps
    progress : called after every layer, and after the embedding and head

    Raises
    ------
    UserError
        As :func:`.config.positions_of` and :func:`.config.config_of`, if ``choice.formats`` names
        no matrix, or if ranges and weights do not fit the contract, naming the matrix.
    """
    return _Quantizer(source, ranges, choice or Choice(), context, progress).model(
        vocabulary or Vocabulary()
    )


class _Quantizer:
    def __init__(self, source, ranges: Ranges, choice: Choice, context, progress):
        self.shape, self.tensors = source.shape, source.tensors
        self.ranges, self.choice = ranges, choice
        self.context = positions_of(self.shape, context)
        names = matrix_names(self.shape)
        for name in choice.formats:
            if name not in names:
                raise UserError(f"formats names {name!r}, which is no matrix of this model")
        self._progress = progress or (lambda done, total: None)
        self.matrices: dict[str, Matrix] = {}
        self._asked: dict[str, str] = {}
        self.norms: dict[str, Norm] = {}

    def model(self, vocabulary: Vocabulary) -> DecoderModel:
        shape, steps = self.shape, self.shape.n_layers + 2
        # a tied head's rounding errors matter more than an embedding's
        tied = "final_norm" if shape.tied_head else ""
        products = self.ranges.products if self.choice.feedback else {}
        embedding, base, self.residual = embedding_matrix(
            self.tensors["token_embedding"],
            self.choice.format_of("token_embedding"),
            residual_unit(self.ranges, shape, self.choice),
            self.ranges.moments.get(tied),
            products.get(tied),
        )
        self.matrices["token_embedding"] = embedding
        self._progress(1, steps)
        scalars, attn_mult = [], []
        for i in range(shape.n_layers):
            scales = self._layer(i)
            mult, shift = multipliers(
                scales.v / (2.0**arith.MEAN_V_BITS * scales.attn), MAX_SMALL_SHIFT
            )
            attn_mult.append(mult)
            scalars.append(
                LayerScalars(scales.score_shift, shift, scales.gate_frac, scales.hidden_shift)
            )
            self._progress(i + 2, steps)
        head_shift, scale = self._head(base)
        self._progress(steps, steps)
        return DecoderModel(
            config=self._config(),
            matrices=self.matrices,
            norms=self.norms,
            layers=tuple(scalars),
            attn_mult=tuple(attn_mult),
            head_shift=head_shift,
            logit_scale=scale,
            prefix=tuple(self.choice.prefix),
            vocabulary=vocabulary,
            **self._positions(),
        )

    def _layer(self, i: int) -> LayerScales:
        at = f"layers.{i}."
        smooth = {name: self._smoothing(at, name) for name in BEHIND}
        units = tuple(self._norm(f"{at}{name}", smooth[name]) for name in BEHIND)
        factors = smooth["hidden"] = self._hidden_factors(at)
        scales = layer_scales(self.ranges, self.shape, self.choice, i, units, factors)
        bits = self.choice.bits
        turned = self.shape.positions == "rotary"
        k = scales.k * 2.0 ** (bits.key - bits.query) if turned else scales.k
        gate = scales.gate
        up = scales.up if self.shape.gated else gate
        for kind, stage, in_unit, out_unit in (
            ("q_proj", "attn_norm", scales.attn_norm, scales.q),
            ("k_proj", "attn_norm", scales.attn_norm, k),
            ("v_proj", "attn_norm", scales.attn_norm, scales.v),
            ("o_proj", "attn", scales.attn, self.residual),
            ("gate_proj", "ffn_norm", scales.ffn_norm, gate),
            ("up_proj", "ffn_norm", scales.ffn_norm, up),
            ("down_proj", "hidden", scales.hidden, self.residual),
        ):
            if kind in self.shape.kinds:
                self._matrix(at + kind, at + stage, in_unit, out_unit, smooth.get(stage))
        return scales

    def _matrix(self, name: str, stage: str, in_unit, out_unit, columns=None) -> None:
        has_bias = name.rpartition(".")[2] in self.shape.bias
        products = self.ranges.products.get(stage) if self.choice.feedback else None
        try:
            self.matrices[name] = integer_matrix(
                self.tensors[name],
                self._asked.get(name, self.choice.format_of(name)),
                in_unit,
                out_unit,
                bias=as_float(self.tensors[f"{name}.bias"]) if has_bias else None,
                columns=columns,
                moments=self.ranges.moments[stage],
                products=products,
            )
        except UserError as error:
            raise UserError(f"{name}: {error}") from None

    def _smoothing(self, at: str, norm: str) -> np.ndarray | None:
        """What divides a norm's gains and multiplies the columns behind it; None: nothing."""
        kinds = [kind for kind in BEHIND[norm] if kind in self.shape.kinds]
        if not self.choice.smooths([at + kind for kind in kinds]):
            return None
        largest = np.maximum(self.ranges.largest[at + norm], 1e-6)
        weights = np.max(
            [np.abs(as_float(self.tensors[at + kind])).max(axis=0) for kind in kinds], axis=0
        )
        alpha = self.choice.smoothing
        factor = largest**alpha / np.maximum(weights, 1e-6) ** (1 - alpha)
        return factor / np.exp(np.log(factor).mean())

    def _hidden_factors(self, at: str) -> np.ndarray | None:
        """What divides up and hidden, and multiplies down_proj's columns; None: nothing.

        Native codes stay as they are unless massive activations would drown in rounding.
        """
        if not self.shape.gated:
            return None
        name, largest = f"{at}down_proj", self.ranges.largest[f"{at}hidden"]
        ordinary = self.ranges.ordinary[f"{at}hidden"]
        levels = arith.limit(self.choice.bits.hidden) / self.choice.headroom.hidden
        asked = self.choice.format_of(name)
        if asked == NATIVE:
            is_native = isinstance(self.tensors[name], NativeBlocks)
            if is_native and noise(largest, ordinary, levels) <= MOST_NOISE:
                return None
            asked = self._asked[name] = HEAD_FORMAT
        weights, kind = as_float(self.tensors[name]), WeightFormat.parse(asked)
        return channel_factors(weights, largest, ordinary, levels, kind.high)

    def _norm(self, name: str, smooth: np.ndarray | None = None) -> float:
        """Adds the norm called ``name``; the unit of its output."""
        choice, shape = self.choice, self.shape
        divide = np.ones(shape.d_model) if smooth is None else smooth
        largest = max(float((self.ranges.largest[name] / divide).max()), 1e-6)
        unit = smallest_unit(largest, choice.headroom.norm, choice.bits.norm)
        gain = as_float(self.tensors[name]).astype(np.float64) / divide
        gain = gain / (unit * 2.0**arith.NORM_FRAC_BITS)
        most = float(np.abs(gain).max())
        shift = math.floor(math.log2(MAX_GAIN / most)) if most > 0 else 0
        if shift < 0:
            raise UserError(f"{name}: its gain is out of proportion to what it gives on the text")
        shift = min(shift, MAX_SMALL_SHIFT)
        bias, bias_shift = None, 0
        if shape.norm_bias:
            bias = as_float(self.tensors[f"{name}.bias"]).astype(np.float64) / divide / unit
            bias, bias_shift = fixed_point(bias * 2.0**shift, MAX_BIAS, MAX_BIAS_SHIFT)
        eps = min(round(shape.norm_eps * shape.d_model / self.residual**2), MAX_EPS)
        integers = np.rint(gain * 2.0**shift).astype(np.int64)
        self.norms[name] = Norm(integers, shift, eps, bias, bias_shift)
        return unit

    def _head(self, base: float) -> tuple[int, float]:
        """(head_shift, logit_scale)"""
        normed = self._norm("final_norm")
        unit = logit_unit(self.ranges, self.choice)
        if not self.shape.tied_head:
            self._matrix("lm_head", "final_norm", normed, unit)
            return 0, unit
        head_shift = min(max(math.ceil(math.log2(unit / (base * normed))), 0), MAX_SHIFT)
        return head_shift, base * normed * 2.0**head_shift

    def _positions(self) -> dict:
        if self.shape.positions == "rotary":
            angles = np.outer(np.arange(self.context), self.shape.inverse_frequencies)
            turn = 2.0**arith.ROTARY_BITS
            return {
                "rotary_cos": np.rint(turn * np.cos(angles)).astype(np.int64),
                "rotary_sin": np.rint(turn * np.sin(angles)).astype(np.int64),
            }
        table = as_float(self.tensors["position_embedding"])[: self.context].astype(np.float64)
        unit = max(float(np.abs(table).max()), 1e-9) / MAX_GAIN
        mult, shift = multipliers([unit / self.residual], MAX_SMALL_SHIFT)
        return {
            "position_embedding": np.rint(table / unit).astype(np.int64),
            "position_mult": int(mult[0]),
            "position_shift": shift,
        }

    def _config(self) -> ModelConfig:
        formats = {name: str(matrix.format) for name, matrix in self.matrices.items()}
        return config_of(self.shape, self.context, self.choice.bits, formats)
