"""What a user may choose of an import."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence

from ..contract.choices import Bits
from ..contract.config import MAX_DIGITS
from ..contract.decoder.formats import WeightFormat
from ..support.errors import UserError

NATIVE = "native"
"""Weights as a quantized file has them, code for code; ``int8`` where it has floats."""
AUTO = "auto"
"""Bits of each matrix by measured sensitivity (:mod:`.allocation`)."""
HEAD_FORMAT = "int8"


LOGIT_BITS = 16
"""Of logits: 1/500 nat and finer where they reach 30, and half the memory of a sampler."""


@dataclasses.dataclass(frozen=True)
class Headroom:
    """How far a stage may go beyond what calibration saw, as a factor of its range.

    Rare massive activations show in one text and not in another: down_proj's input has the most
    room, and 16 bits to pay for it. The residual sums up what enters it.
    """

    residual: float = 2.0
    norm: float = 1.5
    query: float = 1.5
    cache: float = 1.0
    attention: float = 1.5
    gate: float = 2.0
    up: float = 2.0
    hidden: float = 4.0
    logits: float = 8.0


@dataclasses.dataclass(frozen=True)
class Choice:
    """Parameters
    ----------
    weights : str, the format of all matrices of layers: ``int8`` … ``int4``, ``trits:n`` or
        ``native``
    head : str, of the token embedding and the output head: the same
    formats : mapping of matrix name to format, which go before the two
    bits : Bits, widths of activations
    headroom : Headroom
    smoothing : float, 0..1: how much of the spread of norm outputs moves into the weights behind
        them (SmoothQuant's alpha); 0: none. It pays when ``bits.norm`` is small.
    feedback : bool, pass rounding errors on where the ranges have products
        (:func:`.calibration.calibrate`)
    prefix : tuple of token ids that go before every text

    Raises
    ------
    UserError
        Naming a format that is none, or that no float weights can be rounded to.
    """

    weights: str = "int8"
    head: str = HEAD_FORMAT
    formats: Mapping[str, str] = dataclasses.field(default_factory=dict)
    bits: Bits = dataclasses.field(default_factory=lambda: Bits(logit=LOGIT_BITS))
    headroom: Headroom = dataclasses.field(default_factory=Headroom)
    smoothing: float = 0.0
    feedback: bool = True
    prefix: tuple[int, ...] = ()

    def __post_init__(self):
        for text in (self.weights, self.head, *self.formats.values()):
            if text != NATIVE and WeightFormat.parse(text).kind == "block":
                raise UserError(
                    f"weight format {text!r} is only taken over from a file that has it; expected "
                    f"{NATIVE!r}, int4 to int8, or trits:1 to trits:5"
                )
        if not 0 <= self.smoothing <= 1:
            raise UserError(f"smoothing must be 0 to 1, not {self.smoothing!r}")

    def format_of(self, name: str) -> str:
        """The format that was asked for a matrix."""
        default = self.weights if name.startswith("layers.") else self.head
        return self.formats.get(name, default)

    def smooths(self, names) -> bool:
        """Whether the norm before the matrices called so is smoothed: not with native codes."""
        return self.smoothing > 0 and all(self.format_of(name) != NATIVE for name in names)


def weight_format(bits: str, others: Sequence[str] = (NATIVE, AUTO)) -> str:
    """Format of ``--bits``, or one of the ``others``; UserError if it is none."""
    if bits in others:
        return bits
    if re.fullmatch(r"[4-8]", bits):
        return f"int{bits}"
    try:
        kind = WeightFormat.parse(bits)
    except UserError:
        kind = None
    if kind is None or kind.kind != "trits":
        known = ["4 to 8", f"trits:1 to trits:{MAX_DIGITS}", *others]
        raise UserError(f"--bits must be {', '.join(known[:-1])} or {known[-1]}, not {bits!r}")
    return bits
