"""The shape of a model: what training, the reference and the hardware generator agree on."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from ..support.errors import UserError

MATRICES = ("q_proj", "k_proj", "v_proj", "o_proj", "up_proj", "down_proj")
"""Weight matrices of one layer, in the order in which a layer uses them."""

MAX_DIGITS = 5
"""Most balanced-ternary digits a weight may have (5 digits: 243 levels, one byte)."""

MAX_LAYERS = 1_000
MAX_SIZE = 2**17
"""Of all other sizes: beyond any model that is built here, below what exhausts a memory."""


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """Shape of a decoder-only transformer with RMSNorm, ReLU and a tied output head.

    Parameters
    ----------
    vocab_size, d_model, n_heads, n_layers, d_ff, ctx_len : int
        Sizes, each at least 1; ``n_heads`` divides ``d_model``.
    digits : int or mapping of str to int
        Balanced-ternary digits per weight (1: ternary, n: 3**n levels). A mapping has entries
        for matrix kinds (``"up_proj"``) or single matrices (``"layers.0.up_proj"``, which win);
        what it leaves out has one digit. Stored as a sorted tuple with one entry per matrix.

    Raises
    ------
    UserError
        If a size is not an integer of at least 1 or too large, if ``n_heads`` does not divide
        ``d_model``, or if ``digits`` names no matrix of the model or a number outside 1 to 5.
    """

    vocab_size: int
    d_model: int
    n_heads: int
    n_layers: int
    d_ff: int
    ctx_len: int
    digits: tuple[tuple[str, int], ...] | Mapping[str, int] | int = 1

    def __post_init__(self):
        for field in dataclasses.fields(self)[:6]:
            value = getattr(self, field.name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise UserError(f"{field.name} must be an integer of at least 1, not {value!r}")
            most = MAX_LAYERS if field.name == "n_layers" else MAX_SIZE
            if value > most:
                raise UserError(f"{field.name} must be at most {most:,}, not {value:,}")
        if self.d_model % self.n_heads:
            raise UserError(
                f"n_heads must divide d_model, but {self.n_heads} does not divide {self.d_model}; "
                f"choose one of {', '.join(str(n) for n in _divisors(self.d_model))}"
            )
        object.__setattr__(self, "digits", self._normalized_digits())

    def _normalized_digits(self) -> tuple[tuple[str, int], ...]:
        given = self.digits
        if isinstance(given, int):  # a bool is refused below
            given = dict.fromkeys(MATRICES, given)
        if not isinstance(given, Mapping | tuple):
            raise UserError(
                f"digits must be 1 to {MAX_DIGITS} or one entry per matrix, not {given!r}"
            )
        given = dict(given)
        names = self.matrix_names()
        for name, count in given.items():
            if name not in MATRICES and name not in names:
                raise UserError(
                    f"digits names {name!r}, which is no matrix of this model; "
                    f"expected one of {', '.join(MATRICES)} or 'layers.N.' before one of them"
                )
            whole = isinstance(count, int) and not isinstance(count, bool)
            if not whole or not 1 <= count <= MAX_DIGITS:
                raise UserError(f"digits of {name} must be 1 to {MAX_DIGITS}, not {count!r}")
        return tuple(
            (name, given.get(name, given.get(name.rsplit(".", 1)[1], 1))) for name in names
        )

    @property
    def head_dim(self) -> int:
        return self.d_model // self.n_heads

    def matrix_names(self) -> list[str]:
        """Names of all weight matrices, in order of use: ``layers.0.q_proj``, …"""
        return [f"layers.{i}.{matrix}" for i in range(self.n_layers) for matrix in MATRICES]

    def norm_names(self) -> list[str]:
        """Names of all RMSNorms, in order of use."""
        names = []
        for i in range(self.n_layers):
            names += [f"layers.{i}.attn_norm", f"layers.{i}.ffn_norm"]
        return [*names, "final_norm"]

    def matrix_shape(self, name: str) -> tuple[int, int]:
        """(out_features, in_features) of the matrix called ``name``."""
        kind = name.rsplit(".", 1)[1]
        return {
            "up_proj": (self.d_ff, self.d_model),
            "down_proj": (self.d_model, self.d_ff),
        }.get(kind, (self.d_model, self.d_model))

    def digits_of(self, name: str) -> int:
        """Balanced-ternary digits per weight of the matrix called ``name``."""
        return dict(self.digits)[name]

    @property
    def n_weights(self) -> int:
        """All trained weights: matrices, embeddings, norm gains."""
        matrices = sum(out * inp for out, inp in map(self.matrix_shape, self.matrix_names()))
        embeddings = (self.vocab_size + self.ctx_len) * self.d_model
        return matrices + embeddings + len(self.norm_names()) * self.d_model

    def to_dict(self) -> dict:
        """JSON-ready form; ``ModelConfig.from_dict`` is its inverse."""
        return {**dataclasses.asdict(self), "digits": dict(self.digits)}

    @classmethod
    def from_dict(cls, fields: Mapping) -> ModelConfig:
        known = {field.name for field in dataclasses.fields(cls)}
        unknown = sorted(set(fields) - known)
        missing = sorted(known - {"digits"} - set(fields))
        if unknown:
            raise UserError(
                f"unknown model setting {unknown[0]!r}; expected {', '.join(sorted(known))}"
            )
        if missing:
            raise UserError(f"model setting {missing[0]!r} is missing")
        return cls(**fields)


def _divisors(number: int) -> list[int]:
    return [n for n in range(1, number + 1) if number % n == 0]


PRESETS = {
    "shakespeare-115k": ModelConfig(
        vocab_size=128, d_model=64, n_heads=2, n_layers=2, d_ff=256, ctx_len=128
    ),
    "shakespeare-115k-2t": ModelConfig(
        vocab_size=128, d_model=64, n_heads=2, n_layers=2, d_ff=256, ctx_len=128, digits=2
    ),
    "shakespeare-zybo": ModelConfig(
        vocab_size=65, d_model=96, n_heads=3, n_layers=3, d_ff=384, ctx_len=128, digits=2
    ),
    "stories-zybo": ModelConfig(
        vocab_size=80, d_model=96, n_heads=3, n_layers=3, d_ff=384, ctx_len=128, digits=2
    ),
}
"""Named shapes. ``shakespeare-115k`` is ZyboGPT's, ternary; ``-2t`` is the same with two digits per
weight; ``shakespeare-zybo`` fills the block memories of an xc7z010; ``stories-zybo`` is its shape
for the 79 characters of the TinyStories sample."""
