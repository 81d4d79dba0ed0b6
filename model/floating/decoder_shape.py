"""The shape of a decoder of the field: everything about it except its weights."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

from ..contract.config import MAX_LAYERS, ModelConfig
from ..contract.per_matrix import GATED_MATRICES, MATRICES
from ..support.errors import UserError
from ..support.numbers import check_integer

SIZES = (
    *("vocab_size", "d_model", "n_heads", "n_kv_heads", "head_dim", "n_layers", "d_ff", "ctx_len"),
)
MAX_SIZE = 2**24
"""Of every size but the layers: beyond any model of the field, below what exhausts a memory."""
KINDS = GATED_MATRICES
NORMS = ("rms", "layer")
POSITIONS = ("learned", "rotary")
ACTIVATIONS = ("relu", "silu", "gelu", "gelu_tanh")
"""``gelu`` is the exact one (erf), ``gelu_tanh`` its approximation."""


@dataclasses.dataclass(frozen=True)
class DecoderShape:
    """Shape of a sequential pre-norm decoder: ``x += attention(norm(x)); x += ffn(norm(x))``.

    Parameters
    ----------
    vocab_size, d_model, n_heads, n_kv_heads, head_dim, n_layers, d_ff, ctx_len : int
        Sizes, each at least 1. ``n_kv_heads`` divides ``n_heads``; ``n_heads * head_dim`` need
        not be ``d_model``.
    norm : str, "rms" (RMSNorm) or "layer" (LayerNorm)
    norm_eps : float, above 0, added to the mean square or the variance
    norm_bias : bool, of LayerNorm only
    positions : str, "learned" (added to the token's embedding) or "rotary" (RoPE of q and k)
    activation : str, of ACTIVATIONS
    gated : bool: ``down(act(gate(x)) * up(x))`` instead of ``down(act(up(x)))``
    bias : frozenset of str, the kinds of matrices (KINDS) that have one
    tied_head : bool: the head is the token embedding
    inverse_frequencies : tuple of float, head_dim / 2 radians per position, any scaling applied;
        empty if positions are learned. Pair j rotates features j and j + head_dim / 2 of a head.

    Raises
    ------
    UserError
        Naming the parameter that is not as above.
    """

    vocab_size: int
    d_model: int
    n_heads: int
    n_kv_heads: int
    head_dim: int
    n_layers: int
    d_ff: int
    ctx_len: int
    norm: str
    norm_eps: float
    norm_bias: bool
    positions: str
    activation: str
    gated: bool
    bias: frozenset[str]
    tied_head: bool
    inverse_frequencies: tuple[float, ...] = ()

    def __post_init__(self):
        for name in SIZES:
            most = MAX_LAYERS if name == "n_layers" else MAX_SIZE
            check_integer(name, getattr(self, name), 1, most)
        if self.n_heads % self.n_kv_heads:
            raise UserError(
                f"n_kv_heads must divide the {self.n_heads} heads, not {self.n_kv_heads}"
            )
        for name, known in (("norm", NORMS), ("positions", POSITIONS), ("activation", ACTIVATIONS)):
            if getattr(self, name) not in known:
                raise UserError(
                    f"{name} must be one of {', '.join(known)}, not {getattr(self, name)!r}"
                )
        if not (math.isfinite(self.norm_eps) and self.norm_eps > 0):
            raise UserError(f"norm_eps must be a positive number, not {self.norm_eps!r}")
        if self.norm_bias and self.norm == "rms":
            raise UserError("norm_bias must be False with norm rms, not True")
        for kind in sorted(self.bias - set(self.kinds)):
            raise UserError(f"bias must name kinds of {', '.join(self.kinds)}, not {kind!r}")
        self._check_frequencies()

    @classmethod
    def of(
        cls, config: ModelConfig, norm_eps: float, inverse_frequencies: Sequence[float] = ()
    ) -> DecoderShape:
        """The shape of an integer model, with what its config does not tell."""
        fields = {field.name for field in dataclasses.fields(cls)}
        told = fields - {"norm_eps", "inverse_frequencies", "bias"}
        return cls(
            **{name: getattr(config, name) for name in told},
            norm_eps=norm_eps,
            bias=frozenset(config.bias),
            inverse_frequencies=tuple(inverse_frequencies),
        )

    @property
    def kinds(self) -> tuple[str, ...]:
        """The matrices that a layer has, in the order of KINDS."""
        return KINDS if self.gated else MATRICES

    def matrix_shape(self, kind: str) -> tuple[int, int]:
        """(out, in) of a layer's matrix."""
        queries, keys = self.n_heads * self.head_dim, self.n_kv_heads * self.head_dim
        return {
            "q_proj": (queries, self.d_model),
            "k_proj": (keys, self.d_model),
            "v_proj": (keys, self.d_model),
            "o_proj": (self.d_model, queries),
            "gate_proj": (self.d_ff, self.d_model),
            "up_proj": (self.d_ff, self.d_model),
            "down_proj": (self.d_model, self.d_ff),
        }[kind]

    def tensor_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of every tensor by its name here, in the order in which a token meets them."""
        shapes: dict[str, tuple[int, ...]] = {"token_embedding": (self.vocab_size, self.d_model)}
        if self.positions == "learned":
            shapes["position_embedding"] = (self.ctx_len, self.d_model)
        for i in range(self.n_layers):
            self._add_norm(shapes, f"layers.{i}.attn_norm")
            for kind in self.kinds:
                if kind == ("gate_proj" if self.gated else "up_proj"):
                    self._add_norm(shapes, f"layers.{i}.ffn_norm")
                shapes[f"layers.{i}.{kind}"] = self.matrix_shape(kind)
                if kind in self.bias:
                    shapes[f"layers.{i}.{kind}.bias"] = self.matrix_shape(kind)[:1]
        self._add_norm(shapes, "final_norm")
        if not self.tied_head:
            shapes["lm_head"] = (self.vocab_size, self.d_model)
        return shapes

    @property
    def n_parameters(self) -> int:
        """Numbers in all tensors."""
        return sum(map(math.prod, self.tensor_shapes().values()))

    def _add_norm(self, shapes: dict[str, tuple[int, ...]], name: str) -> None:
        shapes[name] = (self.d_model,)
        if self.norm_bias:
            shapes[f"{name}.bias"] = (self.d_model,)

    def _check_frequencies(self) -> None:
        frequencies = self.inverse_frequencies
        if self.positions == "learned":
            if frequencies:
                raise UserError("inverse_frequencies must be empty with learned positions")
            return
        if self.head_dim % 2:
            raise UserError(f"head_dim must be even with rotary positions, not {self.head_dim}")
        if len(frequencies) != self.head_dim // 2:
            raise UserError(
                f"inverse_frequencies must be {self.head_dim // 2} numbers, not {len(frequencies)}"
            )
        if not all(math.isfinite(frequency) for frequency in frequencies):
            raise UserError("inverse_frequencies must be finite numbers")
