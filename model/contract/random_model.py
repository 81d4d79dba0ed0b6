"""Random models of any shape whose datapath is alive: for tests, fits and benchmarks.

The integers are random; the scales are calibrated, layer by layer, on random tokens that run
through the integer arithmetic, so that activations fill their range and a few per cent saturate.
"""

from __future__ import annotations

import itertools
import math

import numpy as np

from ..support.errors import UserError
from . import arith, windows
from .config import MATRICES, ModelConfig
from .decoder.random_spec import OWN_TEXT
from .integer_model import IntegerModel, Matrix, Norm

RANDOM_PREFIX = "random:"
SIZES = ("vocab_size", "d_model", "n_heads", "n_layers", "d_ff", "ctx_len")
DEFAULT_SIZES = {"vocab_size": 96, "d_model": 64, "n_layers": 2, "ctx_len": 64}

SATURATING = 0.03
"""Fraction of the activations that are meant to saturate."""
SCORE_SPREAD = 64
"""Standard deviation of a query's scores in 1/32 octaves: between uniform and one-hot."""
LOGIT_SPREAD = 2.0
"""Standard deviation of the logits in nats."""
MIN_SHIFT, MAX_SHIFT = 7, 24
"""Requantizer shifts of trained models lie in this range, too."""
CALIBRATION_TOKENS = 512
CALIBRATION_LENGTH = 64


def random_model(spec: str) -> IntegerModel:
    """The random model that ``spec`` describes, the same for the same text.

    ``spec`` is ``random:`` and settings ``name=integer`` between commas: the sizes of ModelConfig,
    ``seed``, ``digits`` (all matrices), ``digits.up_proj`` (one kind) or
    ``digits.layers.0.up_proj`` (one matrix; the more special setting wins). One of them is
    needed, whichever.

    Raises UserError naming the setting that is unknown, malformed or out of range.
    """
    if not spec.startswith(RANDOM_PREFIX):
        raise UserError(f"a random model is written '{RANDOM_PREFIX}name=value,…', not {spec!r}")
    settings, digits = {}, {}
    items = list(filter(None, spec.removeprefix(RANDOM_PREFIX).split(",")))
    if not items:
        raise UserError(
            f"{spec} has no setting; write one, as {RANDOM_PREFIX}n_layers=2, or "
            f"{RANDOM_PREFIX}seed=0 for all sizes by default"
        )
    for item in items:
        name, value = _parse_setting(item)
        table = digits if name.split(".")[0] == "digits" else settings
        if name in table:
            raise UserError(f"random model setting {name!r} is given twice")
        table[name] = value
    seed = settings.pop("seed", 0)
    if seed < 0:
        raise UserError(f"seed must be an integer of at least 0, not {seed}")
    per_matrix = dict.fromkeys(MATRICES, digits.pop("digits", 1))
    per_matrix.update({name.removeprefix("digits."): count for name, count in digits.items()})
    return build_random(ModelConfig(**_with_defaults(settings), digits=per_matrix), seed)


def _parse_setting(item: str) -> tuple[str, int]:
    name, _, text = (part.strip() for part in item.partition("="))
    if name not in (*SIZES, "seed", "digits") and not name.startswith("digits."):
        raise UserError(
            f"unknown random model setting {name!r}; "
            f"expected {', '.join(SIZES)}, seed, digits or digits.MATRIX; "
            f"of a model as imported ones are: {OWN_TEXT}"
        )
    try:
        return name, int(text)
    except ValueError:
        raise UserError(
            f"random model setting {name!r} must be an integer ({name}=1), not {text!r}"
        ) from None


def _with_defaults(settings: dict[str, int]) -> dict[str, int]:
    sizes = {**DEFAULT_SIZES, **settings}
    sizes.setdefault("n_heads", 1 if sizes["d_model"] % 2 else 2)
    sizes.setdefault("d_ff", 4 * sizes["d_model"])
    return sizes


def build_random(config: ModelConfig, seed: int = 0) -> IntegerModel:
    """A random model of that shape, deterministic in the seed."""
    return _Builder(config, np.random.default_rng(seed)).build()


class _Builder:
    """Draws tensors in order of use and carries the calibration windows along."""

    def __init__(self, config: ModelConfig, rng: np.random.Generator):
        self.config = config
        self.rng = rng
        # Updates of the residual stream are sums over d_model: narrow models get a weaker one.
        self.residual_rms = min(rng.uniform(250, 900), 120 * math.sqrt(config.d_model))
        self.matrices: dict[str, Matrix] = {}
        self.norms: dict[str, Norm] = {}
        self.score_shifts: list[int] = []

    def build(self) -> IntegerModel:
        cfg = self.config
        token_embedding = self._embedding(cfg.vocab_size)
        position_embedding = self._embedding(cfg.ctx_len)
        token_mult, position_mult = (
            int(np.clip(round(part * self.residual_rms / 45), 1, arith.MULT_MAX))
            for part in (1.0, self.rng.uniform(0.6, 1.0))
        )
        length = min(cfg.ctx_len, CALIBRATION_LENGTH)
        shape = (max(CALIBRATION_TOKENS // length, 1), length)
        tokens = self.rng.integers(cfg.vocab_size, size=shape)
        residual = arith.embed(
            token_embedding[tokens], position_embedding[:length], token_mult, position_mult
        )
        for i in range(cfg.n_layers):
            residual = self._layer(f"layers.{i}", residual)
        # Random signs: with a tied head, all positive gains would repeat the last token forever.
        hidden = self._norm("final_norm", residual, negative=0.5)
        logits = windows.matmul(hidden, token_embedding.T)
        return IntegerModel(
            config=cfg,
            token_embedding=token_embedding,
            position_embedding=position_embedding,
            token_mult=token_mult,
            position_mult=position_mult,
            matrices=self.matrices,
            norms=self.norms,
            score_shifts=tuple(self.score_shifts),
            logit_scale=LOGIT_SPREAD / max(float(logits.std()), 1.0),
            vocabulary=_vocabulary(cfg.vocab_size),
        )

    def _embedding(self, rows: int) -> np.ndarray:
        values = np.rint(self.rng.normal(0, 45, (rows, self.config.d_model))).astype(np.int64)
        return arith.saturate(values, -arith.ACT_MAX, arith.ACT_MAX)

    def _layer(self, layer: str, residual: np.ndarray) -> np.ndarray:
        hidden = self._norm(f"{layer}.attn_norm", residual)
        q, k, v = (
            self._projection(f"{layer}.{name}_proj", hidden, arith.to_activation) for name in "qkv"
        )
        shift = self._score_shift(q, k)
        self.score_shifts.append(shift)
        attn = windows.attend(self.config, shift, q, k, v)
        residual = self._update(f"{layer}.o_proj", attn, residual)
        hidden = self._norm(f"{layer}.ffn_norm", residual)
        hidden = self._projection(f"{layer}.up_proj", hidden, arith.to_relu)
        return self._update(f"{layer}.down_proj", hidden, residual)

    def _norm(self, name: str, residual: np.ndarray, negative: float = 0.05) -> np.ndarray:
        """Add a norm whose outputs fill INT8; its output for the calibration windows."""
        d_model = self.config.d_model
        gain = self.rng.uniform(0.6, 1.2, d_model)
        gain *= np.where(self.rng.random(d_model) < negative, -1, 1)
        normalized = arith.RMSNorm(d_model, 0).normalize(residual)
        scale = arith.ACT_MAX / max(_saturation_point((normalized * gain).ravel()), 1.0)
        shift = math.floor(math.log2(arith.ACT_MAX / (scale * np.abs(gain).max())))
        shift = int(np.clip(shift - self.rng.integers(2), 0, arith.MAX_SHIFT))
        values = np.rint(gain * scale * 2**shift).astype(np.int64)
        norm = Norm(arith.saturate(values, -arith.ACT_MAX, arith.ACT_MAX), shift)
        self.norms[name] = norm
        return windows.normalize(norm, residual)

    def _weight(self, name: str) -> np.ndarray:
        """Uniform over all levels: a third of every digit is zero, but no whole row."""
        rows, columns = self.config.matrix_shape(name)
        bound = arith.max_weight(self.config.digits_of(name))
        weight = self.rng.integers(-bound, bound + 1, (rows, columns))
        column = self.rng.integers(columns, size=rows)
        value = self.rng.integers(1, bound + 1, rows) * self.rng.choice([-1, 1], rows)
        empty = ~weight.any(axis=1)
        weight[empty, column[empty]] = value[empty]
        return weight

    def _projection(self, name: str, hidden: np.ndarray, requantizer) -> np.ndarray:
        """Add a matrix whose rows fill their INT8 range, each one a little differently."""
        weight = self._weight(name)
        acc = windows.matmul(hidden, weight.T).reshape(-1, len(weight))
        # A row that is hardly ever positive would be dead after ReLU.
        weight[np.mean(acc > 0, axis=0) < 0.2] *= -1
        points = _saturation_point(acc)
        # Rows of few nonzero weights must not set the scale of all others.
        points = np.maximum(points, max(np.median(points) / 3, 1.0))
        scale = arith.ACT_MAX / points * self.rng.uniform(0.8, 1.2, len(weight))
        matrix = self._add_matrix(name, weight, scale)
        return windows.project(matrix, hidden, requantizer)

    def _update(self, name: str, hidden: np.ndarray, residual: np.ndarray) -> np.ndarray:
        """Add a matrix that updates the residual stream; the stream after it."""
        weight = self._weight(name)
        rms = max(math.sqrt(np.mean(windows.matmul(hidden, weight.T) ** 2.0)), 1.0)
        target = self.residual_rms * self.rng.uniform(0.4, 1.1)
        scale = target / rms * self.rng.uniform(0.5, 1.3, len(weight))
        matrix = self._add_matrix(name, weight, scale)
        update = windows.project(matrix, hidden, arith.to_residual)
        return arith.add_residual(residual, update)

    def _add_matrix(self, name: str, weight: np.ndarray, scale: np.ndarray) -> Matrix:
        """A matrix with the real requantizer factors ``scale``, the largest mult in 128..255."""
        largest = float(scale.max())
        shift = math.floor(math.log2((arith.MULT_MAX + 0.5) / largest))
        shift = int(np.clip(shift, MIN_SHIFT, MAX_SHIFT))
        scale = scale * min(1.0, arith.MULT_MAX / (largest * 2**shift))
        mult = np.clip(np.rint(scale * 2**shift), 1, arith.MULT_MAX).astype(np.int64)
        matrix = Matrix(weight, mult, shift, self.config.digits_of(name))
        self.matrices[name] = matrix
        return matrix

    def _score_shift(self, q: np.ndarray, k: np.ndarray) -> int:
        """Shift that brings the spread of a query's scores nearest to SCORE_SPREAD."""
        dots = windows.score_dots(self.config, q, k)
        # The last query sees every position.
        spread = max(float(dots[:, :, -1].std(axis=-1).mean()), 1.0)
        return int(np.clip(round(math.log2(spread / SCORE_SPREAD)), 0, MAX_SHIFT))


def _saturation_point(values: np.ndarray) -> np.ndarray:
    """The magnitude that a fraction SATURATING of the values exceeds, along the first axis."""
    return np.quantile(np.abs(values), 1 - SATURATING, axis=0)


def _vocabulary(size: int) -> tuple[str, ...]:
    """Distinct printable characters: space, letters, digits and punctuation, then other letters."""
    ascii_printable = [chr(code) for code in range(0x20, 0x7F)]
    ascii_printable.sort(key=lambda c: (c != " ", not c.isalpha(), not c.isdigit(), c))
    others = filter(str.isalpha, map(chr, range(0x80, 0x110000)))
    vocabulary = tuple(itertools.islice(itertools.chain(ascii_printable, others), size))
    if len(vocabulary) < size:
        raise UserError(f"vocab_size must be at most {len(vocabulary)} (letters), not {size}")
    return vocabulary
