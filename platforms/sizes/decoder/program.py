"""The program of an imported model's core without its memory images, in milliseconds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gateformer.gateware.decoder.images import DecoderImages
from gateformer.gateware.decoder.program import DecoderProgram
from gateformer.gateware.decoder.weights.weight_store import WeightStore
from gateformer.gateware.decoder.weights.word_format import WordFormat
from gateformer.gateware.parts.memory_banks import bank_depths
from gateformer.model.contract.decoder.matrix import Matrix


class SizedDecoderProgram(DecoderProgram):
    """:class:`~gateware.decoder.program.DecoderProgram` whose weight words are zeros.

    Nothing else differs: instructions, cycles, multipliers and every size of the units. Making
    long integers of the weights is most of a program's work, and none of it is needed to compare
    sizes.
    """

    def _empty_images(self) -> DecoderImages:
        return _CountedImages(self.model, self.layout.lanes)

    @property
    def mean_cycles(self) -> float:
        """Cycles per greedy token, mean over the context: :meth:`cycles` is linear in between."""
        return (self.cycles(0) + self.cycles(self.model.config.ctx_len - 1)) / 2


class CountedStore(WeightStore):
    """The codes as arrays: enough to tell which bits of a memory are not the same in all words."""

    def __init__(self, form: WordFormat):
        super().__init__(form)
        self._codes: list[np.ndarray] = []

    def add(self, matrices: Sequence[Matrix], rows) -> int:
        """As WeightStore, with zeros for words."""
        first, lanes = len(self.words), self.format.lanes
        for matrix in matrices:
            codes = matrix.codes[rows]
            padded = np.pad(codes, ((0, 0), (0, -codes.shape[1] % lanes)))
            self._codes.append(padded.reshape(-1, lanes).astype(np.int16))
            self.words += [0] * len(self._codes[-1])
            if self.format.group and self.format.sharing > 1:
                self.scale_words += [0] * (len(self._codes[-1]) // self.format.sharing)
        return first

    def live_bits(self) -> list[int]:
        """Of every bank of the words (:func:`gateware.parts.memory_banks.bank_depths`): of codes
        those that are not the same everywhere, of scales all."""
        codes, mask = np.concatenate(self._codes), (1 << self.format.bits) - 1
        banks = np.split(codes, np.cumsum(bank_depths(len(codes)))[:-1])
        beside = self.format.word_bits - self.format.lanes * self.format.bits
        return [_varying_bits(bank, mask) + beside for bank in banks]


class _CountedImages(DecoderImages):
    """Of counted stores."""

    def _new_store(self, form: WordFormat) -> WeightStore:
        return CountedStore(form)


def _varying_bits(codes: np.ndarray, mask: int) -> int:
    some, every = (f.reduce(codes, axis=0) for f in (np.bitwise_or, np.bitwise_and))
    varying = (some & ~every).astype(np.int64) & mask
    return sum(int(lane).bit_count() for lane in varying)
