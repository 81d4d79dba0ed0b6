"""Choices of a training and what they are by default, without torch: a help names them."""

from __future__ import annotations

import dataclasses
import math

from ..contract import arith
from ..support.errors import UserError

TEMPERATURE = 2.0
"""Default divisor of both models' logits in a distillation."""
TEACHER_WEIGHT = 0.5
"""Default share of the teacher in the loss."""
ACTIVATION_QUANTILE = 0.9995
"""Default share of an activation's magnitudes that is not clipped."""

FLOAT_PRESETS = (
    "tinystories-gpt",
    "shakespeare-teacher",
    "shakespeare-relu",
    "shakespeare-squared-relu",
)
"""Names of :data:`.presets.PRESETS`, for who has no torch."""

MAX_TEMPERATURE = 1000
"""Beyond, all distributions are the same."""
MAX_WEIGHT_BITS = 32
"""More than any number of digits holds."""
MIN_BITS, MAX_BITS = 2, 8
"""Of a matrix's weights in simulated quantization."""


def check_settings(temperature: float, teacher_weight: float):
    """Raise UserError unless the temperature is positive and the weight in 0…1."""
    if not (math.isfinite(temperature) and temperature > 0):
        raise UserError(f"temperature must be a positive, finite number, not {temperature:g}")
    if temperature > MAX_TEMPERATURE:
        raise UserError(f"temperature must be at most {MAX_TEMPERATURE}, not {temperature:g}")
    if not 0 <= teacher_weight <= 1:
        raise UserError(f"teacher weight must be between 0 and 1, not {teacher_weight:g}")


@dataclasses.dataclass(frozen=True)
class QuantizationChoices:
    """How the latent parameters are quantized; what each is worth:
    :mod:`model.studies.quantization_gap`.

    Parameters
    ----------
    step_per_row : bool: one weight step per row of a matrix, or one per matrix
    learned_scales : bool: steps and activations' units are trained, or stay as calibrated
    activation_quantile : float, share of an activation's magnitudes that is not clipped at first
    weights_return : bool: latent weights beyond the largest integer have a gradient, too
    weight_bits : int, optional: weights are two's complement of so many bits (2: -2 to 1), fewer
        levels than their digits have

    Raises UserError if the quantile is not above 0 and at most 1, or the bits are fewer than 2.
    """

    step_per_row: bool = True
    learned_scales: bool = True
    activation_quantile: float = ACTIVATION_QUANTILE
    weights_return: bool = False
    weight_bits: int | None = None

    def __post_init__(self):
        if not 0 < self.activation_quantile <= 1:
            raise UserError(
                "activation quantile must be above 0 and at most 1, "
                f"not {self.activation_quantile:g}"
            )
        if self.weight_bits is not None and self.weight_bits < 2:
            raise UserError(f"weight bits must be at least 2, not {self.weight_bits}")
        if self.weight_bits is not None and self.weight_bits > MAX_WEIGHT_BITS:
            raise UserError(
                f"weight bits must be at most {MAX_WEIGHT_BITS}, not {self.weight_bits}"
            )

    def weight_limits(self, digits: int) -> tuple[int, int]:
        """Smallest and largest integer of a matrix; UserError if its digits hold fewer bits."""
        limit = arith.max_weight(digits)
        if self.weight_bits is None:
            return -limit, limit
        low = -(2 ** (self.weight_bits - 1))
        if low < -limit:
            raise UserError(
                f"weights of {self.weight_bits} bits go down to {low}, but {digits} ternary digits "
                f"to {-limit}; use more digits"
            )
        return low, -low - 1
