"""What the models that one core can be loaded with must have in common, beyond their shape.

Some constants of a core follow its model's numbers: right shifts, and the choice among score
shifts. A core whose memories can be written again is made for a range of them, around those of the
model that it is built with; the widths of its accumulators follow the shape alone
(:func:`gateware.plan.bounds.shape_bounds`).
"""

from __future__ import annotations

import dataclasses

from gateformer.model.contract import arith
from gateformer.model.contract.integer_model import IntegerModel
from gateformer.model.support.errors import UserError

SCALE_WIDTH = 16
"""Bits of a word of the scale memory, signed: an 8-bit multiplier or gain, widened."""

MATRIX_MARGIN, GAIN_MARGIN = 2, 3
"""By how much shifts may be larger than those of the model that a core is built with. Smaller ones
may be ``SCALE_WIDTH`` - 9 below the largest."""

SCORE_SHIFTS = 4
"""Consecutive score shifts among which each layer has its choice, at least."""


@dataclasses.dataclass(frozen=True)
class ReloadLimits:
    """Constants of a core that every model loaded into it must fit.

    Parameters
    ----------
    requantize_shift, gain_shift : int
        The right shifts to which multipliers and gains are widened; no matrix or norm may have
        a larger one, nor one so small that the widened number exceeds :data:`SCALE_WIDTH` bits.
    score_shift : int
        The smallest score shift.
    score_shifts : int
        How many there are from that on; a power of two.
    """

    requantize_shift: int
    gain_shift: int
    score_shift: int
    score_shifts: int

    @classmethod
    def of(cls, model: IntegerModel) -> ReloadLimits:
        """Limits with ``model`` well inside.

        Raises
        ------
        UserError
            If its own shifts are too far apart (names the matrix or norm).
        """
        low, high = min(model.score_shifts), max(model.score_shifts)
        count = SCORE_SHIFTS
        while count <= high - low:
            count *= 2
        spare = count - (high - low + 1)
        limits = cls(
            min(max(m.shift for m in model.matrices.values()) + MATRIX_MARGIN, arith.MAX_SHIFT),
            min(max(n.shift for n in model.norms.values()) + GAIN_MARGIN, arith.MAX_SHIFT),
            max(low - (spare + 1) // 2, 0),
            count,
        )
        limits.check(model)
        return limits

    @property
    def shifts(self) -> tuple[int, ...]:
        """The score shifts that a layer may have."""
        return tuple(range(self.score_shift, self.score_shift + self.score_shifts))

    def check(self, model: IntegerModel) -> None:
        """Raise UserError, naming what is outside, if ``model`` does not fit."""
        for kind, entries, limit in (
            ("matrix", model.matrices, self.requantize_shift),
            ("norm", model.norms, self.gain_shift),
        ):
            for name, entry in entries.items():
                numbers = entry.mult if kind == "matrix" else entry.gain
                largest = int(abs(numbers).max(initial=0))
                room = SCALE_WIDTH - 1 - largest.bit_length()
                if not limit - room <= entry.shift <= limit:
                    raise UserError(
                        f"{name} has shift {entry.shift}, but this core takes a {kind} with "
                        f"numbers up to {largest} with shifts {max(limit - room, 0)} to {limit}; "
                        "build one for this model"
                    )
        for layer, shift in enumerate(model.score_shifts):
            if shift not in self.shifts:
                raise UserError(
                    f"layer {layer} has score shift {shift}, but this core has "
                    f"{self.shifts[0]} to {self.shifts[-1]}; build one for this model"
                )
