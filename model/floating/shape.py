"""The shape of a float model that was pruned: its attention may be narrower than the residual."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from ..contract.config import MATRICES, MAX_LAYERS, MAX_SIZE, ModelConfig
from ..support.errors import UserError


@dataclasses.dataclass(frozen=True)
class FloatShape:
    """Shape of a float model; :class:`model.floating.torch_model.FloatModel` takes it like a
    ModelConfig.

    Parameters
    ----------
    vocab_size, d_model, n_heads, head_dim, n_layers, d_ff, ctx_len : int
        Sizes, each at least 1. ``n_heads * head_dim`` may differ from ``d_model``: that is what
        the removal of heads leaves.

    Raises UserError if a size is not an integer of at least 1, or too large.
    """

    vocab_size: int
    d_model: int
    n_heads: int
    head_dim: int
    n_layers: int
    d_ff: int
    ctx_len: int

    def __post_init__(self):
        for name, value in dataclasses.asdict(self).items():
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise UserError(f"{name} must be an integer of at least 1, not {value!r}")
            most = MAX_LAYERS if name == "n_layers" else MAX_SIZE
            if value > most:
                raise UserError(f"{name} must be at most {most:,}, not {value:,}")

    @classmethod
    def of(cls, config: ModelConfig) -> FloatShape:
        """The shape of a model that was not pruned."""
        return cls(**{field.name: getattr(config, field.name) for field in dataclasses.fields(cls)})

    @classmethod
    def from_dict(cls, fields: Mapping) -> FloatShape:
        """Inverse of ``dataclasses.asdict``; UserError naming a size that is missing or unknown."""
        known = {field.name for field in dataclasses.fields(cls)}
        for name in sorted(known ^ set(fields)):
            state = "missing" if name in known else "unknown"
            raise UserError(f"size {name!r} of the float model is {state}")
        return cls(**fields)

    @property
    def n_kv_heads(self) -> int:
        """Heads of keys, and of values: as many as of queries."""
        return self.n_heads

    @property
    def attention_width(self) -> int:
        """Width of queries, keys and values: all heads together."""
        return self.n_heads * self.head_dim

    def matrix_names(self) -> list[str]:
        """Names of all weight matrices, in order of use."""
        return [f"layers.{i}.{matrix}" for i in range(self.n_layers) for matrix in MATRICES]

    def norm_names(self) -> list[str]:
        """Names of all norms, in order of use."""
        norms = [
            f"layers.{i}.{kind}_norm" for i in range(self.n_layers) for kind in ("attn", "ffn")
        ]
        return [*norms, "final_norm"]

    def matrix_shape(self, name: str) -> tuple[int, int]:
        """(out_features, in_features) of the matrix called ``name``."""
        return {
            "o_proj": (self.d_model, self.attention_width),
            "up_proj": (self.d_ff, self.d_model),
            "down_proj": (self.d_model, self.d_ff),
        }.get(name.rsplit(".", 1)[1], (self.attention_width, self.d_model))

    def to_model_config(self, digits=1) -> ModelConfig:
        """The shape as the gateware knows it, with ``digits`` as in ModelConfig.

        Raises UserError unless ``n_heads * head_dim`` is ``d_model``.
        """
        if self.attention_width != self.d_model:
            raise UserError(
                f"the gateware needs heads of d_model together, but {self.n_heads} heads of "
                f"{self.head_dim} make {self.attention_width} and d_model is {self.d_model}; "
                "remove FFN units instead of heads"
            )
        sizes = dataclasses.asdict(self)
        del sizes["head_dim"]
        return ModelConfig(**sizes, digits=digits)
