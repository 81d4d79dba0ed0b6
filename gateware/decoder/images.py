"""The memory images of a decoder core: words of weights, and what scales their rows."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from gateformer.model.contract.decoder.matrix import Matrix
from gateformer.model.contract.decoder.model import DecoderModel

from .weights.weight_store import WeightStore
from .weights.word_format import WordFormat


@dataclasses.dataclass(frozen=True)
class Place:
    """Of rows: their first word of weights, the first of their multipliers and biases, and the
    index of the store that has the words."""

    address: int
    parameter: int
    store: int


class DecoderImages:
    """Images that grow in the order in which the program adds to them.

    Parameters
    ----------
    model : DecoderModel
    lanes : int, weights of a word

    Attributes
    ----------
    stores : list of WeightStore
        One for each format of words: only one if all codes are as wide and none has groups.
    weights : int, how many the stores have
    parameters : list of (multiplier or gain, bias times its power of two)
    """

    def __init__(self, model: DecoderModel, lanes: int):
        self._model, self._lanes = model, lanes
        every = WordFormat.holding(lanes, model.matrices.values())
        own = {WordFormat.holding(lanes, [matrix]).bits for matrix in model.matrices.values()}
        self._common = None if every.group or len(own) > 1 else every
        self.weights = 0
        self.stores: list[WeightStore] = []
        self.parameters: list[tuple[int, int]] = []

    @property
    def depth(self) -> int:
        """Words of the deepest store."""
        return max(len(store.words) for store in self.stores)

    @property
    def weight_bits(self) -> int:
        """Bits of all words of codes and scales."""
        return sum(
            len(store.words) * store.format.word_bits
            + len(store.scale_words) * store.format.scale_bits
            for store in self.stores
        )

    def add_rows(self, name: str, rows=None) -> Place:
        """Rows of a matrix, int [n] (default: all in order)."""
        matrix = self._model.matrices[name]
        rows = np.arange(matrix.shape[0]) if rows is None else rows
        return self._add([matrix], rows)

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
        return self._add(pair, np.arange(pair[0].shape[0]))

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

    def _new_store(self, form: WordFormat) -> WeightStore:
        return WeightStore(form)

    def _add(self, matrices: Sequence[Matrix], rows) -> Place:
        index = self._store(matrices)
        address = self.stores[index].add(matrices, rows)
        self.weights += sum(matrix.codes[rows].size for matrix in matrices)
        return Place(address, self.add_multipliers(*row_parameters(matrices, rows)), index)

    def _store(self, matrices: Sequence[Matrix]) -> int:
        """Index of the store of words that hold ``matrices``."""
        form = self._common or WordFormat.holding(self._lanes, matrices)
        index = next((i for i, store in enumerate(self.stores) if store.format == form), None)
        if index is None:
            index = len(self.stores)
            self.stores.append(self._new_store(form))
        return index


def row_parameters(matrices: Sequence[Matrix], rows) -> tuple[np.ndarray, np.ndarray]:
    """Multipliers and biases of rows (an index array) of matrices, in turn."""
    mult = np.stack([np.asarray(matrix.mult)[rows] for matrix in matrices], axis=1)
    biases = np.stack([row_biases(matrix, rows) for matrix in matrices], axis=1)
    return mult.ravel(), biases.ravel()


def row_biases(matrix: Matrix, rows) -> np.ndarray:
    """Biases of rows, int objects [n], times their power of two; zeros if there are none."""
    if matrix.bias is None:
        return np.zeros(len(rows), object)
    return np.array([int(matrix.bias[r]) << matrix.bias_shift for r in rows], object)
