"""How rows of weights lie in the stream: words of codes, those of their groups' scales between."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from amaranth.hdl import C, Cat, Value

from gateformer.model.contract.decoder.matrix import Matrix
from gateformer.model.support.errors import UserError

from ..decoder.weights.word_format import WordFormat
from ..parts.integers import ceil_div

NARROW, WIDE = 4, 8
"""Bits of the fields that codes lie in."""


def fields_of(word_bits: int, bits: int) -> int:
    """Numbers of ``bits`` in a word: a power of two.

    UserError if there is no room for one.
    """
    if bits > word_bits:
        raise UserError(
            f"a number of {bits} bits does not fit a word of {word_bits} bits, which all ports of "
            "the memory bring together; use more or wider ports"
        )
    return 1 << (word_bits // bits).bit_length() - 1


def whole_words(content: bytes, word_bytes: int) -> np.ndarray:
    """uint8 [n, word_bytes], with zeros after the content."""
    padded = content + bytes(-len(content) % word_bytes)
    return np.frombuffer(padded, np.uint8).reshape(-1, word_bytes)


def number_words(numbers: np.ndarray, field_bits: int, word_bytes: int) -> np.ndarray:
    """uint8 [rows, words, word_bytes] of integers [rows, n], a row's words whole.

    ``field_bits``: NARROW, or a multiple of 8.
    """
    rows = np.atleast_2d(np.asarray(numbers))
    fields = 8 * word_bytes // field_bits
    rows = np.pad(rows, ((0, 0), (0, -rows.shape[1] % fields)))
    if field_bits == NARROW:
        nibbles = (rows & 15).astype(np.uint8)
        content = nibbles[:, 0::2] | nibbles[:, 1::2] << NARROW
    else:
        size = 1 << (field_bits // 8 - 1).bit_length()
        content = np.ascontiguousarray(rows.astype(f"<i{size}")).view(np.uint8)
        content = content.reshape(len(rows), -1, size)[:, :, : field_bits // 8]
    return np.ascontiguousarray(content).reshape(len(rows), -1, word_bytes)


@dataclasses.dataclass(frozen=True)
class Field:
    """How a lane's number lies in a word: in a field of ``pitch`` bits, its lowest ``bits``."""

    pitch: int
    bits: int
    signed: bool

    def of(self, word: Value, lane: int, width: int) -> Value:
        """The number of ``lane``, of ``width`` bits; 0 beyond the fields."""
        if (lane + 1) * self.pitch > len(word):
            return C(0, width)
        number = word[lane * self.pitch :][: self.bits]
        sign = number[-1] if self.signed else C(0, 1)
        return Cat(number, sign.replicate(max(width - self.bits, 0)))[:width]


@dataclasses.dataclass(frozen=True)
class RowFormat:
    """Rows of ``form`` in words of ``word_bits``.

    A word of codes is one of the lanes' in fields of ``field_bits``, each row in whole words. With
    groups, a word of scales comes before every ``cadence`` words of codes, whatever rows these are
    of: as many times 8 bits for each (for ``form.sharing`` of them together) as
    :meth:`WordFormat.scale_numbers` has, the first ones lowest.

    Parameters
    ----------
    form : WordFormat of as many lanes as a word has fields
    word_bits : int, a power of two
    """

    form: WordFormat
    word_bits: int

    @classmethod
    def holding(cls, matrices: Sequence[Matrix], word_bits: int) -> RowFormat:
        """The narrowest one for all rows of ``matrices``; UserError if their codes are too wide.

        Codes are unsigned only if they fill their fields: formats differ in as little as can be.
        """
        joint = WordFormat.holding(1, matrices)
        bits, signed = joint.bits, joint.signed
        if bits > WIDE:
            formats = " and ".join(sorted({str(matrix.format) for matrix in matrices}))
            raise UserError(
                f"weights of {formats} take {bits} bits, which cannot be streamed; import the "
                "model with --bits 8"
            )
        field = NARROW if bits <= NARROW else WIDE
        if not signed and bits < field:
            bits, signed = bits + 1, True
        lanes = fields_of(word_bits, field)
        return cls(dataclasses.replace(joint, lanes=lanes, bits=bits, signed=signed), word_bits)

    @property
    def field_bits(self) -> int:
        return self.word_bits // self.form.lanes

    @property
    def field(self) -> Field:
        """Of a code."""
        return Field(self.field_bits, self.form.bits, self.form.signed)

    @property
    def cadence(self) -> int:
        """Words of codes that a word of scales is for: a power of two."""
        return self._slots * self.form.sharing

    @property
    def _slots(self) -> int:
        return self.word_bits // self.form.scale_bits

    def code_words(self, length: int) -> int:
        """Words of a row of ``length``, scales aside."""
        return ceil_div(length, self.form.lanes)

    def scale_words(self, code_words: int) -> int:
        """Words of scales among those of ``code_words`` words of codes."""
        return ceil_div(code_words, self.cadence) if self.form.group else 0

    # software

    def words(self, matrices: Sequence[Matrix], rows, apart: bool = False) -> np.ndarray:
        """Words of ``rows`` (an index) of matrices of one shape, in turn, as they follow in the
        stream: uint8 [1, words, word_bytes]; ``apart``: each for itself, [rows, words, word_bytes].
        """
        size = self.word_bits // 8
        codes = [number_words(m.codes[rows], self.field_bits, size) for m in matrices]
        codes = np.stack(codes, axis=1)
        runs = len(codes) if apart else 1
        codes = codes.reshape(runs, -1, size)
        if not self.form.group:
            return codes
        scales = [self.form.scale_numbers(m, rows).astype(np.uint8) for m in matrices]
        scales = np.stack(scales, axis=1).reshape(runs, -1)
        scales = np.pad(scales, ((0, 0), (0, -scales.shape[1] % size))).reshape(runs, -1, 1, size)
        count = codes.shape[1]
        codes = np.pad(codes, ((0, 0), (0, -count % self.cadence), (0, 0)))
        codes = codes.reshape(runs, -1, self.cadence, size)
        both = np.concatenate([scales, codes], axis=2).reshape(runs, -1, size)
        return both[:, : count + self.scale_words(count)]

    # hardware

    def scale_bits_of(self, word: Value, number: Value) -> Value:
        """What a word of scales has for word of codes ``number`` of the ``cadence`` it is for."""
        if self._slots == 1:
            return word
        first = (self.form.sharing - 1).bit_length()
        slot = number[first : first + (self._slots - 1).bit_length()]
        return word.word_select(slot, self.form.scale_bits)
