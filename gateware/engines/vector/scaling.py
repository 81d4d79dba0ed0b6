"""Widths and constant shifts of the vector unit's first multiplier.

Every kind of operation has its shift: a matrix ``requantize_shift``, attention
``division_shift``, a norm ``RmsSizes.shift``. A shift may be made larger without changing the
result if an operand is shifted left by as much, which costs nothing. So the first two are aligned,
as far as the operands still fit a 25 x 18 multiplier, and the results need no selection by kind.
"""

from __future__ import annotations

import dataclasses
import functools

from gateformer.model.contract import arith

from ...parts import dsp48
from ...parts.integers import check_least
from .rms_norm import RmsSizes

WIDE_PORT, NARROW_PORT = dsp48.A_BITS, dsp48.B_BITS
"""Operand widths up to which a multiplier is one DSP block."""

EMBEDDING_WIDTH = arith.signed_width(2 * arith.ACT_MAX * arith.MULT_MAX)
"""Bits of a sum of two embedding elements times their multipliers (``arith.embed``)."""


@dataclasses.dataclass(frozen=True)
class VectorScaling:
    """Derived sizes; see :class:`gateware.engines.vector.unit.VectorUnit` for the parameters.

    With ``writable_width`` the words of the scale memory are any of that many bits, but the
    lowest.

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
    product_width, gain_product_width : int
        Bits of the products that can differ from their sign.

    Raises
    ------
    TypeError
        If a shift, a width or a scale is not an integer.
    ValueError
        If a shift is negative, a width is 0, or a scale word has not ``rows`` entries.
    """

    scale_words: list[list[int]]
    requantize_shift: int
    division_shift: int
    acc_width: int
    attention_acc_width: int
    reciprocal_width: int
    gain_shift: int
    rms: RmsSizes
    writable_width: int | None = None

    def __post_init__(self):
        for name in ("requantize_shift", "gain_shift", "division_shift"):
            check_least(name, getattr(self, name), 0)
        for name in ("acc_width", "attention_acc_width", "reciprocal_width"):
            check_least(name, getattr(self, name), 1)
        if not self.scale_words:
            raise ValueError("scale_words must have at least one word, not none")
        for i, word in enumerate(self.scale_words):
            if len(word) != self.rms.rows:
                raise ValueError(
                    f"scale_words[{i}] must have {self.rms.rows} entries, not {len(word)}"
                )
            for scale in word:
                if not isinstance(scale, int) or isinstance(scale, bool):
                    raise TypeError(f"scale_words[{i}] must hold integers, not {scale!r}")

    @property
    def scale_width(self) -> int:
        return arith.signed_width(self.max_scale)

    @functools.cached_property
    def max_scale(self) -> int:
        """Bound of the absolute values in the scale memory."""
        largest = max(abs(scale) for word in self.scale_words for scale in word)
        if self.writable_width is None:
            return largest
        return (1 << self.writable_width - 1) - 1

    @property
    def b_width(self) -> int:
        needed = (self.scale_width, self.reciprocal_width + 1, RmsSizes.OPERAND_WIDTH)
        return max(*needed, self.unit.bit_length() + 1)

    @property
    def a_width(self) -> int:
        return max(
            self.acc_width + self.matrix_shift - self.requantize_shift,
            self.attention_acc_width + self.attention_shift - self.division_shift,
            EMBEDDING_WIDTH + self.load_shift,
            self.rms.factor_width + 1,
            # the rounding halves must fit the addend
            max(self.matrix_shift, self.attention_shift, self.rms.shift) + 2 - self.b_width,
        )

    @property
    def gain_a_width(self) -> int:
        return max(arith.RESIDUAL_BITS, self.rms.normalized_width)

    @property
    def gain_b_width(self) -> int:
        half = self.gain_shift + 2 - self.gain_a_width
        return max(arith.RESIDUAL_BITS, self.scale_width, half)

    @property
    def product_width(self) -> int:
        matrix_acc = self.acc_width + self.matrix_shift - self.requantize_shift
        attention_acc = self.attention_acc_width + self.attention_shift - self.division_shift
        return max(
            _product_width(matrix_acc, self.max_scale, self.matrix_shift),
            _product_width(attention_acc, 2**self.reciprocal_width - 1, self.attention_shift),
            _product_width(EMBEDDING_WIDTH + self.load_shift, self.unit, self.matrix_shift),
            self.rms.shift + self.rms.normalized_width,
        )

    @property
    def gain_product_width(self) -> int:
        return _product_width(self.rms.normalized_width, self.max_scale, self.gain_shift)

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


def _product_width(acc_width: int, factor: int, shift: int) -> int:
    """Bits of an accumulator of ``acc_width`` bits times \\|factor\\| at most, rounded."""
    half = (1 << shift) >> 1
    return arith.signed_width((1 << acc_width - 1) * factor + half)
