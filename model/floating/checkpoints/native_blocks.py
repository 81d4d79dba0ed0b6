"""A matrix as a quantized file has it: small integer codes, and a scale for each group of them."""

from __future__ import annotations

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True, eq=False)
class NativeBlocks:
    """A matrix whose weights are ``scale * code + minimum``, scale and minimum by group of a row.

    Parameters
    ----------
    codes : int8 [out, in]
    scale : float32 [out, in / group]
    minimum : float32 [out, in / group], or None if it is 0 everywhere
    bits : int, of a code: signed codes are ``-2**(bits-1)`` and up; with a minimum, 0 and up
    group : int, successive codes of a row that share a scale: 32 or 16
    """

    codes: np.ndarray
    scale: np.ndarray
    minimum: np.ndarray | None
    bits: int
    group: int

    def __post_init__(self):
        rows, columns = self.codes.shape
        expected = (rows, columns // self.group)
        if columns % self.group:
            raise ValueError(f"{columns} columns must be a multiple of the group of {self.group}")
        for name in ("scale", "minimum"):
            array = getattr(self, name)
            if array is not None and array.shape != expected:
                raise ValueError(f"{name} must have shape {expected}, not {array.shape}")

    @property
    def shape(self) -> tuple[int, int]:
        """(out, in)."""
        return self.codes.shape

    def dequantize(self) -> np.ndarray:
        """The weights, float32 [out, in]: one rounding per operation, as the files' own code."""
        codes = self.codes.reshape(len(self.codes), -1, self.group).astype(np.float32)
        weights = np.multiply(codes, self.scale[..., None], out=codes)
        if self.minimum is not None:
            weights += self.minimum[..., None]
        return weights.reshape(self.codes.shape)

    def rows(self, permutation) -> NativeBlocks:
        """The rows that an index array or a slice selects, in its order."""
        minimum = None if self.minimum is None else self.minimum[permutation]
        return dataclasses.replace(
            self, codes=self.codes[permutation], scale=self.scale[permutation], minimum=minimum
        )

    def is_finite(self) -> bool:
        """Whether all scales and minimums are finite numbers."""
        finite = np.isfinite(self.scale).all()
        return bool(finite and (self.minimum is None or np.isfinite(self.minimum).all()))


def as_float(tensor: np.ndarray | NativeBlocks) -> np.ndarray:
    """The tensor as float32, dequantized if it is NativeBlocks."""
    return tensor.dequantize() if isinstance(tensor, NativeBlocks) else tensor
