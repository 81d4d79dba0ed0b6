"""What models may choose independently of each other, and the widths of their numbers."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from ..support.errors import UserError

CHOICES = {
    "norm": ("rms", "layer"),
    "positions": ("learned", "rotary"),
    "activation": ("relu", "silu", "gelu", "gelu_tanh"),
}
"""What a model may choose, independently of the rest; the first one is version 1's.

``gelu`` is the exact one (error function), ``gelu_tanh`` its usual approximation.
"""


@dataclasses.dataclass(frozen=True)
class Bits:
    """Widths of the signed numbers of contract version 2 (docs/number_contract_2.md), in bits.

    ``residual`` 16..28; ``norm`` (what norms give), ``query`` (q, and k before it is turned),
    ``attention`` (what enters o_proj), ``gate`` (what the activation takes, and up) and ``hidden``
    (what enters down_proj) 8..16; ``key`` and ``value`` (k and v as they are kept) 8..16; ``logit``
    12..32.

    Raises UserError naming a width that is none of these.
    """

    residual: int = 24
    norm: int = 16
    query: int = 16
    attention: int = 16
    gate: int = 16
    hidden: int = 16
    key: int = 12
    value: int = 8
    logit: int = 32

    def __post_init__(self):
        limits = {"residual": (16, 28), "logit": (12, 32)}
        for name, value in dataclasses.asdict(self).items():
            low, high = limits.get(name, (8, 16))
            if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
                raise UserError(f"bits of {name} must be {low} to {high}, not {value!r}")

    @classmethod
    def from_dict(cls, widths: Mapping) -> Bits:
        """Inverse of ``dataclasses.asdict``; UserError for a name that is no width."""
        known = [field.name for field in dataclasses.fields(cls)]
        for name in widths:
            if name not in known:
                raise UserError(f"unknown width {name!r} in bits; expected {', '.join(known)}")
        return cls(**widths)
