"""The shape of a model: what training, the reference and the hardware generator agree on."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from ..support.errors import UserError
from .choices import CHOICES, Bits
from .per_matrix import GATED_MATRICES, MATRICES, digits_of_each, formats_of_each
from .per_matrix import MAX_DIGITS as MAX_DIGITS

MAX_LAYERS = 1_000
MAX_SIZE = 2**18
"""Of all other sizes: beyond any model that is built here, below what exhausts a memory."""


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """Shape of a decoder-only, pre-norm transformer: a product of independent choices.

    What is not given is as in the models that are trained here (contract version 1): RMSNorm,
    learned positions, ReLU, no biases, a tied output head, trits.

    Parameters
    ----------
    vocab_size, d_model, n_heads, n_layers, d_ff, ctx_len : int
        Sizes, each at least 1; ``n_heads`` divides ``d_model`` unless ``head_dim`` is given.
    digits : int or mapping of str to int
        Balanced-ternary digits per weight (1: ternary, n: 3**n levels). A mapping has entries
        for matrix kinds (``"up_proj"``) or single matrices (``"layers.0.up_proj"``, which win);
        what it leaves out has one digit. Stored as a sorted tuple with one entry per matrix.
        Version 2 says in ``formats`` what its weights are.
    n_kv_heads : int, key and value heads, a divisor of ``n_heads`` (default: as many)
    head_dim : int, even with rotary positions (default: ``d_model / n_heads``)
    norm, positions, activation : str, of :data:`.choices.CHOICES`
    norm_bias : bool, whether norms have a bias
    gated : bool, the feed-forward layer is activation(gate) · up
    bias : matrix kinds with a bias, stored sorted
    tied_head : bool, the output head is the token embedding
    formats : mapping of matrix name to format (:mod:`model.contract.decoder.formats`), every
        matrix of :meth:`all_matrix_names`; stored as a tuple of pairs. Given with ``bits``.
    bits : Bits, or None for contract version 1

    Raises
    ------
    UserError
        If a size is not an integer of at least 1 or too large, if ``n_heads`` does not divide
        ``d_model``, if ``digits`` names no matrix of the model or a number outside 1 to 5, or
        naming the choice that is none or that does not go with another.
    """

    vocab_size: int
    d_model: int
    n_heads: int
    n_layers: int
    d_ff: int
    ctx_len: int
    digits: tuple[tuple[str, int], ...] | Mapping[str, int] | int = 1
    n_kv_heads: int | None = None
    head_dim: int | None = None
    norm: str = "rms"
    norm_bias: bool = False
    positions: str = "learned"
    activation: str = "relu"
    gated: bool = False
    bias: tuple[str, ...] = ()
    tied_head: bool = True
    formats: tuple[tuple[str, str], ...] | Mapping[str, str] = ()
    bits: Bits | None = None

    def __post_init__(self):
        for field in dataclasses.fields(self)[:6]:
            self._check_size(field.name)
        if self.head_dim is None:
            object.__setattr__(self, "head_dim", default_head_dim(self.d_model, self.n_heads))
        if self.n_kv_heads is None:
            object.__setattr__(self, "n_kv_heads", self.n_heads)
        self._check_size("head_dim")
        self._check_size("n_kv_heads")
        self._check_choices()
        object.__setattr__(self, "digits", digits_of_each(self.digits, self.matrix_names()))
        names = self.all_matrix_names() if self.bits is not None else []
        object.__setattr__(self, "formats", formats_of_each(self.formats, names))
        if self.bits is None:
            self._check_version_1()

    def _check_size(self, name: str) -> None:
        value = getattr(self, name)
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise UserError(f"{name} must be an integer of at least 1, not {value!r}")
        most = MAX_LAYERS if name == "n_layers" else MAX_SIZE
        if value > most:
            raise UserError(f"{name} must be at most {most:,}, not {value:,}")

    def _check_choices(self) -> None:
        for name, choices in CHOICES.items():
            value = getattr(self, name)
            if value not in choices:
                raise UserError(f"{name} must be one of {', '.join(choices)}, not {value!r}")
        for name in ("norm_bias", "gated", "tied_head"):
            value = getattr(self, name)
            if not isinstance(value, bool):
                raise UserError(f"{name} must be true or false, not {value!r}")
        if self.n_heads % self.n_kv_heads:
            raise UserError(
                f"n_kv_heads must divide n_heads, but {self.n_kv_heads} does not divide "
                f"{self.n_heads}; choose one of "
                f"{', '.join(str(n) for n in _divisors(self.n_heads))}"
            )
        if self.positions == "rotary" and self.head_dim % 2:
            raise UserError(f"head_dim must be even with rotary positions, not {self.head_dim}")
        for kind in self.bias:
            if kind not in self.matrix_kinds:
                raise UserError(
                    f"bias names {kind!r}, which is no matrix of this model; expected one of "
                    f"{', '.join(self.matrix_kinds)}"
                )
        object.__setattr__(self, "bias", tuple(sorted(set(self.bias))))

    def _check_version_1(self) -> None:
        """Contract version 1 has one value of every choice."""
        for field in dataclasses.fields(self)[7:]:
            if getattr(self, field.name) != self._of_version_1(field):
                raise UserError(
                    f"{field.name} {getattr(self, field.name)!r} takes contract version 2; give "
                    "the widths of its numbers, bits"
                )

    def _of_version_1(self, field: dataclasses.Field):
        computed = {"n_kv_heads": self.n_heads, "head_dim": self.d_model // self.n_heads}
        return computed.get(field.name, field.default)

    @property
    def spec_version(self) -> int:
        """Version of the number contract: 1 for models trained here, 2 for imported ones."""
        return 1 if self.bits is None else 2

    @property
    def matrix_kinds(self) -> tuple[str, ...]:
        """Weight matrices of one layer, in the order in which a layer uses them."""
        return GATED_MATRICES if self.gated else MATRICES

    @property
    def attention_width(self) -> int:
        """Channels of all query heads: what enters o_proj."""
        return self.n_heads * self.head_dim

    @property
    def cache_width(self) -> int:
        """Channels of all key heads, or of all value heads."""
        return self.n_kv_heads * self.head_dim

    @property
    def head_name(self) -> str:
        """The matrix that gives the logits."""
        return "token_embedding" if self.tied_head else "lm_head"

    def matrix_names(self) -> list[str]:
        """Names of all weight matrices of layers, in order of use: ``layers.0.q_proj``, …"""
        return [f"layers.{i}.{kind}" for i in range(self.n_layers) for kind in self.matrix_kinds]

    def all_matrix_names(self) -> list[str]:
        """:meth:`matrix_names` between the token embedding and the output head of its own."""
        head = [] if self.tied_head else ["lm_head"]
        return ["token_embedding", *self.matrix_names(), *head]

    def has_bias(self, name: str) -> bool:
        """Whether the matrix called ``name`` has a bias."""
        return name.rsplit(".", 1)[-1] in self.bias

    def norm_names(self) -> list[str]:
        """Names of all norms, in order of use."""
        names = []
        for i in range(self.n_layers):
            names += [f"layers.{i}.attn_norm", f"layers.{i}.ffn_norm"]
        return [*names, "final_norm"]

    def matrix_shape(self, name: str) -> tuple[int, int]:
        """(out_features, in_features) of the matrix called ``name``."""
        kind = name.rsplit(".", 1)[-1]
        return {
            "q_proj": (self.attention_width, self.d_model),
            "k_proj": (self.cache_width, self.d_model),
            "v_proj": (self.cache_width, self.d_model),
            "o_proj": (self.d_model, self.attention_width),
            "gate_proj": (self.d_ff, self.d_model),
            "up_proj": (self.d_ff, self.d_model),
            "down_proj": (self.d_model, self.d_ff),
            "token_embedding": (self.vocab_size, self.d_model),
            "lm_head": (self.vocab_size, self.d_model),
        }[kind]

    def digits_of(self, name: str) -> int:
        """Balanced-ternary digits per weight of the matrix called ``name``."""
        return dict(self.digits)[name]

    def format_of(self, name: str) -> str:
        """Weight format of the matrix called ``name`` (contract version 2)."""
        return dict(self.formats)[name]

    @property
    def n_weights(self) -> int:
        """All trained numbers: matrices, embeddings, norm gains, biases."""
        shapes = {name: self.matrix_shape(name) for name in self.all_matrix_names()}
        matrices = sum(out * inp for out, inp in shapes.values())
        biases = sum(out for name, (out, _) in shapes.items() if self.has_bias(name))
        positions = self.ctx_len * self.d_model if self.positions == "learned" else 0
        norms = len(self.norm_names()) * self.d_model * (1 + self.norm_bias)
        return matrices + biases + positions + norms

    def to_dict(self) -> dict:
        """JSON-ready form; ``ModelConfig.from_dict`` is its inverse."""
        if self.bits is None:
            sizes = {
                field.name: getattr(self, field.name) for field in dataclasses.fields(self)[:6]
            }
            return {**sizes, "digits": dict(self.digits)}
        fields = {
            **dataclasses.asdict(self),
            "formats": dict(self.formats),
            "bias": list(self.bias),
        }
        del fields["digits"]
        if self.bits.logit == Bits.logit:  # as in artifacts from before there was a choice
            del fields["bits"]["logit"]
        return fields

    @classmethod
    def from_dict(cls, fields: Mapping) -> ModelConfig:
        known = [field.name for field in dataclasses.fields(cls)]
        if "bits" in fields:  # contract version 2 states everything
            known.remove("digits")
            needed = known
        else:
            known, needed = known[:7], known[:6]
        unknown = sorted(set(fields) - set(known))
        missing = sorted(set(needed) - set(fields))
        if unknown:
            raise UserError(
                f"unknown model setting {unknown[0]!r}; expected {', '.join(sorted(known))}"
            )
        if missing:
            raise UserError(f"model setting {missing[0]!r} is missing")
        if "bits" in fields:
            for name, kind in (("bits", Mapping), ("formats", Mapping), ("bias", list)):
                if not isinstance(fields[name], kind):
                    raise UserError(f"{name} must be a table or list, not {fields[name]!r}")
            fields = {
                **fields,
                "bits": Bits.from_dict(fields["bits"]),
                "bias": tuple(fields["bias"]),
            }
        return cls(**fields)


def default_head_dim(d_model: int, n_heads: int) -> int:
    """``d_model / n_heads``; UserError naming what divides d_model if that is no integer."""
    if d_model % n_heads:
        raise UserError(
            f"n_heads must divide d_model, but {n_heads} does not divide {d_model}; choose one of "
            f"{', '.join(str(n) for n in _divisors(d_model))}"
        )
    return d_model // n_heads


def _divisors(number: int) -> list[int]:
    return [n for n in range(1, number + 1) if number % n == 0]
