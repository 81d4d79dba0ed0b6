"""The shape of an imported model as far as registers say it."""

from __future__ import annotations

import dataclasses

from gateformer.model.contract.choices import CHOICES


@dataclasses.dataclass(frozen=True)
class ImportedShape:
    """As :class:`model.contract.config.ModelConfig`, whose widths and formats no register has.

    ``bias``: some matrices have one; the registers do not say which.
    """

    vocab_size: int
    d_model: int
    n_heads: int
    n_layers: int
    d_ff: int
    ctx_len: int
    n_kv_heads: int
    head_dim: int
    norm: str
    positions: str
    activation: str
    gated: bool
    tied_head: bool
    norm_bias: bool
    bias: bool

    def __str__(self) -> str:
        norm = f"{self.norm} with bias" if self.norm_bias else self.norm
        activation = f"gated {self.activation}" if self.gated else self.activation
        return (
            f"norm {norm}, positions {self.positions}, activation {activation}, "
            f"n_kv_heads {self.n_kv_heads}, head_dim {self.head_dim}"
        )


FLAGS = ("gated", "tied_head", "norm_bias", "bias")


def choices(family: dict[str, int]) -> dict[str, str | bool]:
    """The choices that the fields of FAMILY stand for.

    Raises IndexError for a number that none has.
    """
    named = {name: names[family[name]] for name, names in CHOICES.items()}
    return {**named, **{name: bool(family[name]) for name in FLAGS}}
