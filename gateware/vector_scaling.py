"""Widths and constant shifts of the vector unit's first multiplier.

Every kind of operation has its shift: a matrix ``requantize_shift``, attention
``division_shift``, a norm ``RmsFactor.shift``. A shift may be made larger without changing the
result if an operand is shifted left by as much, which costs nothing. So the first two are aligned,
as far as the operands still fit a 25 x 18 multiplier, and the results need no selection by kind.
"""

from __future__ import annotations

import dataclasses

from model import arith

from .rms_norm import RmsFactor

WIDE_PORT, NARROW_PORT = 25, 18
"""Multiplier ports that are free to use: those of a DSP48E1."""

EMBEDDING_WIDTH = arith.signed_width(2 * arith.ACT_MAX * arith.MULT_MAX)
"""Bits of a sum of two embedding elements times their multipliers (``arith.embed``)."""


@dataclasses.dataclass(frozen=True)
class VectorScaling:
    """Derived sizes; see :class:`gateware.vector_unit.VectorUnit` for the parameters.

    Attributes
    ----------
    matrix_shift, attention_shift : int
        Right shifts after the multiplier, at least ``requantize_shift`` and ``division_shift``;
        their accumulators are shifted left by the difference.
    unit : int
        The multiplier that makes RESIDUAL_LOAD (shifted by ``matrix_shift``) leave its accumulator
        as it is, together with the left shift ``load_shift``.
    scale_width : int
        Bits of a word of the scale memory, signed.
    a_width, b_width : int
        Factors of the first multiplier: accumulator or norm factor; multiplier, reciprocal or
        residual.
    gain_a_width, gain_b_width : int
        Factors of the second multiplier: normalized residual and gain, or twice the new residual.
    """

    scale_words: list[list[int]]
    requantize_shift: int
    division_shift: int
    acc_width: int
    attention_acc_width: int
    reciprocal_width: int
    gain_shift: int
    factor_width: int
    factor_shift: int
    normalized_width: int

    @property
    def scale_width(self) -> int:
        bound = max((abs(scale) for word in self.scale_words for scale in word), default=0)
        return arith.signed_width(bound)

    @property
    def b_width(self) -> int:
        needed = (self.scale_width, self.reciprocal_width + 1, RmsFactor.OPERAND_WIDTH)
        return max(*needed, self.unit.bit_length() + 1)

    @property
    def a_width(self) -> int:
        return max(
            self.acc_width + self.matrix_shift - self.requantize_shift,
            self.attention_acc_width + self.attention_shift - self.division_shift,
            EMBEDDING_WIDTH + self.load_shift,
            self.factor_width + 1,
            # the rounding halves must fit the addend
            max(self.matrix_shift, self.attention_shift, self.factor_shift) + 2 - self.b_width,
        )

    @property
    def gain_a_width(self) -> int:
        return max(arith.RESIDUAL_BITS, self.normalized_width)

    @property
    def gain_b_width(self) -> int:
        half = self.gain_shift + 2 - self.gain_a_width
        return max(arith.RESIDUAL_BITS, self.scale_width, half)

    @property
    def matrix_shift(self) -> int:
        aligned = min(
            self.division_shift,
            self.requantize_shift + WIDE_PORT - self.acc_width,
            NARROW_PORT - 2 + WIDE_PORT - EMBEDDING_WIDTH,
        )
        return max(self.requantize_shift, aligned)

    @property
    def attention_shift(self) -> int:
        room = self.division_shift + WIDE_PORT - self.attention_acc_width
        return max(self.division_shift, min(self.matrix_shift, room))

    @property
    def unit(self) -> int:
        return 1 << min(self.matrix_shift, NARROW_PORT - 2)

    @property
    def load_shift(self) -> int:
        return self.matrix_shift - (self.unit.bit_length() - 1)
