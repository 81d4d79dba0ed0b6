"""The program of an imported model's core without its memory images, in milliseconds."""

from __future__ import annotations

import numpy as np

from gateformer.gateware.decoder.images import DecoderImages, Place
from gateformer.gateware.decoder.program import DecoderProgram
from gateformer.gateware.parts.memory_banks import bank_depths


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


class _CountedImages(DecoderImages):
    """The codes as arrays: enough to tell which bits of a memory are not the same in all words."""

    def __init__(self, model, lanes: int):
        super().__init__(model, lanes)
        self._codes: list[np.ndarray] = []

    def _add(self, weights: np.ndarray, mult, biases) -> Place:
        first = len(self.weight_words)
        padded = np.pad(weights, ((0, 0), (0, -weights.shape[1] % self._lanes)))
        self._codes.append(padded.reshape(-1, self._lanes).astype(np.int8))
        self.weight_words += [0] * len(self._codes[-1])
        return Place(first, self.add_multipliers(mult, biases))

    def live_bits(self) -> list[int]:
        """Of every bank of the weights (:func:`gateware.parts.memory_banks.bank_depths`)."""
        codes, mask = np.concatenate(self._codes), (1 << self.code_bits) - 1
        banks = np.split(codes, np.cumsum(bank_depths(len(codes)))[:-1])
        return [_varying_bits(bank, mask) for bank in banks]


def _varying_bits(codes: np.ndarray, mask: int) -> int:
    some, every = (f.reduce(codes, axis=0) for f in (np.bitwise_or, np.bitwise_and))
    varying = (some & ~every).astype(np.int64) & mask
    return sum(int(lane).bit_count() for lane in varying)
