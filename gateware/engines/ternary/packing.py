"""Weight formats: how ternary weights lie in the weight memory.

A format is a strategy object. In software it packs a block of trits (-1, 0, 1) into one memory
word per beat; in hardware its decoder turns a word into the controls of the adder trees
(:class:`PairControl`). The engine around it is the same for every format.
"""

from __future__ import annotations

import abc

import numpy as np
from amaranth.lib import data, wiring

from .weight_decoder import (
    PairControl,
    ThreeInFiveDecoder,
    TwoBitDecoder,
    n_pairs,
    three_in_five_code,
    tree_parent,
)

__all__ = [
    "PairControl",
    "ThreeInFiveFormat",
    "TwoBitFormat",
    "WeightFormat",
    "weight_format",
]


class WeightFormat(abc.ABC):
    """How the weights of one beat (``rows`` x ``cols`` trits) are stored in one memory word.

    Members
    -------
    name : str
        Name in :class:`gateware.plan.hw_config.HwConfig` and on the command line.
    decode_latency : int
        Cycles from the word to the controls in the component that :meth:`decoder` returns.
    """

    name: str
    decode_latency: int

    @abc.abstractmethod
    def width(self, rows: int, cols: int) -> int:
        """Bits of a memory word."""

    @abc.abstractmethod
    def _to_bits(self, trits: np.ndarray) -> np.ndarray:
        """Bits [beats, width] of the trits [beats, rows, cols], lowest bit first."""

    @abc.abstractmethod
    def _from_bits(self, bits: np.ndarray, rows: int, cols: int) -> np.ndarray:
        """Inverse of :meth:`_to_bits`."""

    @abc.abstractmethod
    def decoder(self, rows: int, cols: int) -> wiring.Component:
        """Component from ``word: In(width)`` to ``controls: Out(...)``.

        ``controls`` is an array of ``rows`` arrays of ``ceil(cols / 2)`` :class:`PairControl`,
        valid ``decode_latency`` cycles after the word.
        """

    def pack(self, trits) -> list[int]:
        """Memory words of a block of weights, one per beat.

        Parameters
        ----------
        trits : array of int, [beats, rows, cols]
            Weights, each -1, 0 or 1.

        Raises
        ------
        TypeError
            If the trits are not integers.
        ValueError
            If the array does not have three dimensions or holds another value.
        """
        trits = np.asarray(trits)
        if not np.issubdtype(trits.dtype, np.integer):
            raise TypeError(f"trits must be integers, not {trits.dtype}")
        if trits.ndim != 3 or 0 in trits.shape[1:]:
            raise ValueError(f"trits must have shape [beats, rows, cols], not {list(trits.shape)}")
        wrong = trits[(trits < -1) | (trits > 1)]
        if wrong.size:
            raise ValueError(f"trits must be -1, 0 or 1, not {wrong[0]}")
        packed = np.packbits(self._to_bits(trits), axis=1, bitorder="little")
        return [int.from_bytes(row.tobytes(), "little") for row in packed]

    def unpack(self, words, rows: int, cols: int) -> np.ndarray:
        """Trits [beats, rows, cols] (int8) of memory words; the inverse of :meth:`pack`.

        Raises
        ------
        ValueError
            If a word is negative or has more than ``width(rows, cols)`` bits.
        """
        width = self.width(rows, cols)
        n_bytes = -(-width // 8)
        for word in words:
            if not 0 <= word < 1 << width:
                raise ValueError(f"word must have at most {width} bits, not {word:#x}")
        packed = b"".join(word.to_bytes(n_bytes, "little") for word in words)
        packed = np.frombuffer(packed, np.uint8).reshape(-1, n_bytes)
        bits = np.unpackbits(packed, axis=1, count=width, bitorder="little")
        return self._from_bits(bits, rows, cols).astype(np.int8)

    def __repr__(self):
        return f"{type(self).__name__}()"


class TwoBitFormat(WeightFormat):
    """Two bits per trit: the controls of the adder tree, ready-made.

    Row after row, pair after pair of columns, the four bits of a :class:`PairControl`; an unpaired
    last column has two bits, ``first`` and ``relative_sign``. The word needs no decoding.
    """

    name = "2bit"
    decode_latency = 0

    def width(self, rows, cols):
        return 2 * rows * cols

    def decoder(self, rows, cols):
        return TwoBitDecoder(rows, cols)

    def _to_bits(self, trits):
        cols = trits.shape[2]
        nonzero, negative = _by_pair(trits != 0), _by_pair(trits < 0)
        first, second = nonzero[..., 0], nonzero[..., 1]
        opposite = negative[..., 0] != negative[..., 1]
        subtract = ~first | (second & opposite)
        sign = np.where(first, negative[..., 0], negative[..., 1])
        relative = sign.copy()
        for pair in range(1, sign.shape[2]):
            relative[..., pair] ^= sign[..., tree_parent(pair)]
        fields = {
            "first": first,
            "second": second,
            "subtract": subtract,
            "relative_sign": relative,
        }
        bits = np.stack([fields[name] for name in _PAIR_FIELDS], axis=-1)
        bits = bits.reshape(*sign.shape[:2], 4 * sign.shape[2])
        if cols % 2:
            single = np.stack([first[..., -1], relative[..., -1]], axis=-1)
            bits = np.concatenate([bits[..., :-4], single], axis=-1)
        return bits.reshape(len(trits), self.width(*trits.shape[1:]))

    def _from_bits(self, bits, rows, cols):
        bits = bits.astype(bool).reshape(-1, rows, 2 * cols)
        if cols % 2:
            first, relative = bits[..., -2], bits[..., -1]
            single = [first, 0 * first, ~first, relative]
            bits = np.concatenate([bits[..., :-2], np.stack(single, axis=-1)], axis=-1)
        bits = bits.reshape(-1, rows, n_pairs(cols), 4)
        first, second, subtract, relative = np.moveaxis(bits, -1, 0).astype(bool)
        sign = relative.copy()
        for pair in range(1, sign.shape[2]):
            sign[..., pair] ^= sign[..., tree_parent(pair)]
        negative_second = sign ^ (first & subtract)
        trits = np.stack(
            [first * np.where(sign, -1, 1), second * np.where(negative_second, -1, 1)], axis=-1
        )
        return trits.reshape(-1, rows, 2 * n_pairs(cols))[..., :cols]


class ThreeInFiveFormat(WeightFormat):
    """Three trits in five bits, in the order of rows and columns; the last group is padded.

    The bits of a group are the signs of its three trits and a two-bit ``pattern`` (see
    :func:`gateware.engines.ternary.weight_decoder.three_in_five_code`). A sign is thus a plain bit
    of the word, and whether a trit is zero is one function of five bits.
    """

    name = "3in5"
    decode_latency = 1

    def width(self, rows, cols):
        return 5 * -(-rows * cols // 3)

    def decoder(self, rows, cols):
        return ThreeInFiveDecoder(rows, cols)

    def _to_bits(self, trits):
        flat = trits.reshape(len(trits), trits.shape[1] * trits.shape[2])
        flat = np.pad(flat, [(0, 0), (0, -flat.shape[1] % 3)]) + 1
        codes = _CODE_OF_TRITS[flat[:, 0::3], flat[:, 1::3], flat[:, 2::3]]
        bits = (codes[..., None] >> np.arange(5)) & 1
        return bits.astype(np.uint8).reshape(len(trits), 5 * codes.shape[1])

    def _from_bits(self, bits, rows, cols):
        codes = (bits.reshape(-1, bits.shape[1] // 5, 5).astype(np.int64) << np.arange(5)).sum(-1)
        trits = _TRITS_OF_CODE[codes].reshape(len(bits), 3 * codes.shape[1])
        return trits[:, : rows * cols].reshape(-1, rows, cols)


_PAIR_FIELDS = tuple(name for name, _ in data.Layout.cast(PairControl))

_TRITS_OF_CODE = np.array([three_in_five_code(code) for code in range(32)])
_CODE_OF_TRITS = np.zeros((3, 3, 3), np.int64)
for _code in reversed(range(32)):
    _CODE_OF_TRITS[tuple(_TRITS_OF_CODE[_code] + 1)] = _code


def _by_pair(values: np.ndarray) -> np.ndarray:
    """[beats, rows, cols] to [beats, rows, pairs, 2], an odd last column paired with False."""
    beats, rows, cols = values.shape
    padded = np.pad(values, [(0, 0), (0, 0), (0, cols % 2)])
    return padded.reshape(beats, rows, n_pairs(cols), 2)


FORMATS = {format.name: format for format in (TwoBitFormat(), ThreeInFiveFormat())}


def weight_format(name: str) -> WeightFormat:
    """The format called ``name`` (one of ``FORMATS``); ValueError if there is none."""
    if name not in FORMATS:
        raise ValueError(f"weight format must be one of {', '.join(FORMATS)}, not {name!r}")
    return FORMATS[name]
