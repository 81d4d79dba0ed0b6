"""The memory images of a decoder core: words of weights, and what scales their rows."""

from __future__ import annotations

import dataclasses

import numpy as np

from gateformer.model.contract.decoder.matrix import Matrix
from gateformer.model.contract.decoder.model import DecoderModel
from gateformer.model.support.errors import UserError


@dataclasses.dataclass(frozen=True)
class Place:
    """Of rows: their first word of weights, and the first of their multipliers and biases."""

    address: int
    parameter: int


class DecoderImages:
    """Images that grow in the order in which the program adds to them.

    Parameters
    ----------
    model : DecoderModel
    lanes : int, weights of a word

    Attributes
    ----------
    code_bits : int, of a weight in memory, signed
    weight_words : list of int, unsigned, lane 0 lowest
    parameters : list of (multiplier or gain, bias times its power of two)

    Raises
    ------
    UserError
        Naming the matrix whose format has scales of groups.
    """

    def __init__(self, model: DecoderModel, lanes: int):
        for name, matrix in model.matrices.items():
            if matrix.format.group:
                raise UserError(
                    f"{name} has weights of format {matrix.format}, with scales of groups, which "
                    "cannot become gateware yet; import the model with --bits 8, 6, 5, 4 or trits:N"
                )
        self._model, self._lanes = model, lanes
        self.code_bits = max(code_bits(matrix) for matrix in model.matrices.values())
        self.weight_words: list[int] = []
        self.parameters: list[tuple[int, int]] = []

    def add_rows(self, name: str, rows=None) -> Place:
        """Rows of a matrix, int [n] (default: all in order)."""
        matrix = self._model.matrices[name]
        rows = np.arange(matrix.shape[0]) if rows is None else rows
        mults, biases = np.asarray(matrix.mult)[rows], row_biases(matrix, rows)
        return self._add(matrix.weight(rows), mults, biases)

    def add_token_embedding(self) -> Place:
        """Its rows in order."""
        return self.add_rows("token_embedding")

    def add_head(self, token: Place) -> Place:
        """Rows of the output head, which may be those of the token embedding, at ``token``."""
        if self._model.config.tied_head:
            return token
        return self.add_rows(self._model.config.head_name)

    def add_alternating(self, names: tuple[str, str]) -> Place:
        """Rows of two matrices of one shape, in turn."""
        pair = [self._model.matrices[name] for name in names]
        every = np.arange(pair[0].shape[0])
        weights = np.stack([matrix.weight(every) for matrix in pair], axis=1)
        return self._add(
            weights.reshape(2 * len(every), -1),
            np.stack([matrix.mult for matrix in pair], axis=1).ravel(),
            np.stack([row_biases(matrix, every) for matrix in pair], axis=1).ravel(),
        )

    def add_norm(self, name: str) -> int:
        """Gains and biases of a norm; the place of the first."""
        norm, bias = self._model.norms[name], None
        if norm.bias is not None:
            bias = np.asarray(norm.bias, object) << norm.bias_shift
        return self.add_multipliers(norm.gain, bias)

    def add_multipliers(self, multipliers, biases=None) -> int:
        """Multipliers int [n] and biases (default: 0); the place of the first."""
        first = len(self.parameters)
        biases = [0] * len(multipliers) if biases is None else biases
        self.parameters += [(int(m), int(b)) for m, b in zip(multipliers, biases, strict=True)]
        return first

    def _add(self, weights: np.ndarray, mult, biases) -> Place:
        first = len(self.weight_words)
        bits, mask = self.code_bits, (1 << self.code_bits) - 1
        padded = np.pad(weights, ((0, 0), (0, -weights.shape[1] % self._lanes)))
        words = padded.reshape(-1, self._lanes).astype(np.int64) & mask
        self.weight_words += [
            sum(int(code) << (i * bits) for i, code in enumerate(word)) for word in words
        ]
        return Place(first, self.add_multipliers(mult, biases))


def code_bits(matrix: Matrix) -> int:
    """Bits of a weight, signed."""
    low, high = matrix.format.low, matrix.format.high
    return max((-low - 1).bit_length(), high.bit_length()) + 1


def row_biases(matrix: Matrix, rows) -> np.ndarray:
    """Biases of rows, int objects [n], times their power of two; zeros if there are none."""
    if matrix.bias is None:
        return np.zeros(len(rows), object)
    return np.array([int(matrix.bias[r]) << matrix.bias_shift for r in rows], object)
