"""How weights lie in the words that the lanes take: codes at their own width, scales with them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable

import numpy as np
from amaranth.hdl import C, Cat, Value, signed

from gateformer.model.contract.arith import signed_width
from gateformer.model.contract.decoder.matrix import Matrix

SCALE_BITS = 8
MINIMUM_BITS = SCALE_BITS


@dataclasses.dataclass(frozen=True)
class WordFormat:
    """Words of ``lanes`` codes of ``bits`` bits, lane 0 lowest.

    With groups, a scale (unsigned) and perhaps a minimum (signed), 8 bits each, belong to
    ``scale_lanes`` lanes: to a whole group where a word has whole groups, or a group whole words,
    so that a weight takes as many bits as the contract says; else to as many lanes as words and
    groups can both be divided into. They lie above the codes, scales before minimums, unless
    ``sharing`` words in a row have the same: then in a word of their own.

    Parameters
    ----------
    lanes : int
    bits : int, of a code
    signed : bool, codes are two's complement
    group : int, columns of a group; 0 if there are none
    minimum : bool, whether groups have minimums
    """

    lanes: int
    bits: int
    signed: bool = True
    group: int = 0
    minimum: bool = False

    @classmethod
    def holding(cls, lanes: int, matrices: Iterable[Matrix]) -> WordFormat:
        """The narrowest one for all rows of ``matrices``, whatever their formats."""
        formats = [matrix.format for matrix in matrices]
        low, high = min(f.low for f in formats), max(f.high for f in formats)
        signed = low < 0
        bits = signed_width(max(-low - 1, high)) if signed else high.bit_length()
        group = math.gcd(*(f.group for f in formats))
        return cls(lanes, bits, signed, group, any(f.minimum for f in formats))

    @property
    def code_width(self) -> int:
        """Bits of a code as a signed number."""
        return self.bits + (not self.signed)

    @property
    def scale_lanes(self) -> int:
        """Lanes that a scale is for: a power of two (of formats with groups)."""
        return math.gcd(self.lanes, self.group)

    @property
    def scales(self) -> int:
        """Scales that belong to a word."""
        return self.lanes // self.scale_lanes if self.group else 0

    @property
    def sharing(self) -> int:
        """Words in a row that share their only scale."""
        return self.group // self.lanes if self.group and self.scales == 1 else 1

    @property
    def scale_bits(self) -> int:
        """Bits of the scales and minimums of a word."""
        return self.scales * (SCALE_BITS + MINIMUM_BITS * self.minimum)

    @property
    def word_bits(self) -> int:
        """Bits of a word of codes, with the scales that lie above them."""
        return self.lanes * self.bits + (self.scale_bits if self.sharing == 1 else 0)

    @property
    def bits_per_weight(self) -> float:
        """Bits of codes, scales and minimums that a weight takes."""
        return self.bits + self.scale_bits / (self.lanes * self.sharing)

    # software

    def pack(self, matrix: Matrix, rows) -> tuple[np.ndarray, np.ndarray]:
        """Words of ``matrix``'s ``rows`` (an index array), each row of whole words.

        Returns
        -------
        words : bits, uint8 [rows, words of a row, word_bits]
        scale_words : bits, uint8 [rows, words of a row / sharing, scale_bits]; none if sharing is 1
        """
        words = _bits(self._divided(matrix.codes[rows], self.lanes), self.bits)
        if not self.group:
            return words, words[:, :0, :0]
        scales = _bits(self.scale_numbers(matrix, rows), SCALE_BITS)
        if self.sharing == 1:
            return np.concatenate([words, scales], axis=-1), scales[:, :0]
        return words, scales

    def scale_numbers(self, matrix: Matrix, rows) -> np.ndarray:
        """What scales the words of ``rows`` (of a format with groups), in numbers of 8 bits as they
        lie in a word: [rows, words of a row / sharing, scales and minimums of a word]."""
        out, inp = matrix.codes.shape
        shape = (np.arange(out)[rows].size, inp // self.group)
        numbers = self._spread(matrix.group_scale, rows, shape, 1)
        if self.minimum:
            minimums = self._spread(matrix.group_min, rows, shape, 0)
            numbers = np.concatenate([numbers, minimums], axis=-1)
        return numbers

    def _spread(self, numbers, rows, shape, default: int) -> np.ndarray:
        """Those of groups [out, groups], or ``default`` of a matrix without: [rows, words, scales]
        (a word's or, if they share it, several words')."""
        every = np.full(shape, default) if numbers is None else numbers[rows]
        every = np.repeat(every, shape[1] // every.shape[1], axis=1)
        if self.sharing == 1:
            every = np.repeat(every, self.group // self.scale_lanes, axis=1)
        return self._divided(every, self.scales)

    @staticmethod
    def _divided(numbers: np.ndarray, size: int) -> np.ndarray:
        """[rows, words, size], zeros at the end."""
        padded = np.pad(numbers, ((0, 0), (0, -numbers.shape[1] % size)))
        return padded.reshape(len(numbers), -1, size)

    # hardware

    def codes(self, word: Value) -> list[Value]:
        """Of each lane, as a signed number of ``code_width`` bits."""
        codes = [word.word_select(i, self.bits) for i in range(self.lanes)]
        return [(code if self.signed else Cat(code, C(0, 1))).as_signed() for code in codes]

    def scales_of(self, scales: Value, part_lanes: int) -> list[Value]:
        """Of each part of ``part_lanes`` lanes, which divide ``scale_lanes``; without groups 1.
        ``scales`` are the bits of a word's; without groups whether the word is asked for."""
        if not self.group:
            return [Cat(scales, C(0, SCALE_BITS - 1))] * (self.lanes // part_lanes)
        return self._parts(scales, SCALE_BITS, part_lanes)

    def minimums_of(self, scales: Value, part_lanes: int) -> list[Value]:
        """As :meth:`scales_of`; 0 without minimums."""
        if not self.minimum:
            return [C(0, signed(MINIMUM_BITS))] * (self.lanes // part_lanes)
        parts = self._parts(scales[self.scales * SCALE_BITS :], MINIMUM_BITS, part_lanes)
        return [part.as_signed() for part in parts]

    def _parts(self, numbers: Value, bits: int, part_lanes: int) -> list[Value]:
        own = [numbers.word_select(i, bits) for i in range(self.scales)]
        return [own[lane // self.scale_lanes] for lane in range(0, self.lanes, part_lanes)]


def unsigned_words(bits: np.ndarray) -> list[int]:
    """Integers of bits, uint8 [..., bits], the lowest first."""
    if not bits.size:
        return []
    packed = np.packbits(bits.reshape(-1, bits.shape[-1]), axis=-1, bitorder="little")
    return [int.from_bytes(word.tobytes(), "little") for word in packed]


def _bits(numbers: np.ndarray, width: int) -> np.ndarray:
    """[..., n * width], of each number the lowest bit first."""
    pairs = np.asarray(numbers).astype("<u2")[..., None].view(np.uint8)
    places = np.unpackbits(pairs, axis=-1, count=width, bitorder="little")
    return places.reshape(*places.shape[:-2], -1)
