"""What a streamed core reads: words in the order of use, and a record per token and position."""

from __future__ import annotations

import dataclasses
import enum

import numpy as np

from gateformer.model.contract.arith import signed_width
from gateformer.model.contract.decoder.matrix import Matrix
from gateformer.model.contract.decoder.model import DecoderModel
from gateformer.model.support.errors import UserError

from ..decoder.images import Place, row_biases
from ..decoder.tables import TURN_BITS, position_width
from ..parts.integers import ceil_div
from .layout import StreamedLayout, fields_of

LARGEST_PARAMETER = 32
"""Bits of the narrowest field for a multiplier and its bias."""


class Kind(enum.Enum):
    """Where a segment of the stream lies.

    TOKEN, POSITION
        The token's record, the position's.
    FIXED
        At its stripe.
    CACHE
        At its stripe of keys and values, ``words`` for each position before this one.
    """

    TOKEN = 0
    POSITION = 1
    FIXED = 2
    CACHE = 3


@dataclasses.dataclass(frozen=True)
class Segment:
    """Words that a token's program takes one after the other.

    ``stripe`` counts from the first one of its kind; ``predicts``: only a token after which the
    next one is chosen takes them.
    """

    kind: Kind
    stripe: int
    words: int
    predicts: bool = False


@dataclasses.dataclass(frozen=True)
class ParameterFormat:
    """How multipliers and biases lie in a word: ``factor`` bits, then ``bias`` bits, signed."""

    factor: int
    bias: int
    word_bits: int

    @classmethod
    def of(cls, model: DecoderModel, word_bits: int) -> ParameterFormat:
        """The narrowest for all of a model's."""
        factors, biases = [model.position_mult or 1], [0]
        for matrix in model.matrices.values():
            factors.append(int(np.abs(matrix.mult).max()))
            if matrix.bias is not None:
                biases.append(max(abs(int(b)) for b in matrix.bias) << matrix.bias_shift)
        for norm in model.norms.values():
            factors.append(max(abs(int(g)) for g in norm.gain))
            if norm.bias is not None:
                biases.append(max(abs(int(b)) for b in norm.bias) << norm.bias_shift)
        factors += [int(np.abs(mult).max()) for mult in model.attn_mult]
        widths = (max(signed_width(max(values)), 2) for values in (factors, biases))
        return cls(*widths, word_bits)

    @property
    def per_word(self) -> int:
        """Entries in a word: a power of two."""
        return fields_of(self.word_bits, max(self.factor + self.bias, LARGEST_PARAMETER))

    @property
    def field(self) -> int:
        """Bits of an entry with what is left over."""
        return self.word_bits // self.per_word

    def words(self, entries: list[tuple[int, int]]) -> np.ndarray:
        """uint8 [n, word_bytes] of (multiplier, bias)."""
        low, high = (1 << self.factor) - 1, (1 << self.bias) - 1
        packed = b"".join(
            ((factor & low) | (bias & high) << self.factor).to_bytes(self.field // 8, "little")
            for factor, bias in entries
        )
        return whole_words(packed, self.word_bits // 8)


def whole_words(content: bytes, word_bytes: int) -> np.ndarray:
    """uint8 [n, word_bytes], with zeros after the content."""
    padded = content + bytes(-len(content) % word_bytes)
    return np.frombuffer(padded, np.uint8).reshape(-1, word_bytes)


def number_words(numbers: np.ndarray, field_bits: int, word_bytes: int) -> np.ndarray:
    """uint8 [rows * words, word_bytes] of integers [rows, n], a row's words whole.

    ``field_bits``: 4, or a multiple of 8.
    """
    rows = np.atleast_2d(np.asarray(numbers))
    fields = 8 * word_bytes // field_bits
    rows = np.pad(rows, ((0, 0), (0, -rows.shape[1] % fields)))
    if field_bits == 4:
        nibbles = (rows & 15).astype(np.uint8)
        content = nibbles[:, 0::2] | nibbles[:, 1::2] << 4
    else:
        size = 1 << (field_bits // 8 - 1).bit_length()
        content = np.ascontiguousarray(rows.astype(f"<i{size}")).view(np.uint8)
        content = content.reshape(len(rows), -1, size)[:, :, : field_bits // 8]
    return np.ascontiguousarray(content).reshape(-1, word_bytes)


class StreamedImages:
    """As :class:`gateware.decoder.images.DecoderImages`, for a stream: what is added becomes words
    in order, parameters before the rows that they are of.

    Parameters
    ----------
    model : DecoderModel
    layout : StreamedLayout

    Attributes
    ----------
    parameters : ParameterFormat
    pending : list of word arrays: what was added and not taken yet
    fixed : list of word arrays, of the stream
    token_words, position_words : int, words of a record
    most_parameters : int, entries that a half of the parameters' buffer holds

    Raises
    ------
    UserError
        Naming the matrix whose format has scales of groups.
    """

    def __init__(self, model: DecoderModel, layout: StreamedLayout):
        self._model, self._layout = model, layout
        for name, matrix in model.matrices.items():
            if matrix.format.group:
                raise UserError(
                    f"{name} has weights of format {matrix.format}, with scales of groups, which "
                    "cannot be streamed yet; import the model with --bits 8, 6, 5, 4 or trits:N"
                )
        self._bytes = layout.memory.word_bytes
        self.parameters = ParameterFormat.of(model, layout.word_bits)
        cfg = model.config
        # a power of two, so that the halves are apart by one bit
        most = max(cfg.d_model, cfg.n_kv_heads * cfg.head_dim, cfg.head_dim)
        self.most_parameters = max(1 << (most - 1).bit_length(), self.parameters.per_word)
        self.token_words = 1 + layout.words(cfg.d_model)
        self.position_words = ceil_div(self._position_entries, self._per_word)
        self.fixed: list[np.ndarray] = []
        self._fills: list[list[tuple[int, int]]] = []
        self._rows: tuple | None = None

    # the position's numbers: angles, or its embedding

    @property
    def position_field(self) -> int:
        """Bits of a position's entry: cosine and sine, or a number of its embedding."""
        embedding = self._model.position_embedding
        bits = 2 * TURN_BITS if embedding is None else position_width(embedding)
        return self._layout.word_bits // fields_of(self._layout.word_bits, max(bits, 8))

    @property
    def _per_word(self) -> int:
        return self._layout.word_bits // self.position_field

    @property
    def _position_entries(self) -> int:
        cfg = self._model.config
        if self._model.position_embedding is not None:
            return cfg.d_model
        return cfg.head_dim // 2

    def position_record(self, position: int) -> np.ndarray:
        """Words of a position, uint8 [position_words, word_bytes]."""
        model = self._model
        if model.position_embedding is not None:
            numbers = np.asarray(model.position_embedding[position])
        else:
            cos, sin = model.rotary_cos[position], model.rotary_sin[position]
            mask = (1 << TURN_BITS) - 1
            numbers = (cos.astype(np.int64) & mask) | (sin.astype(np.int64) & mask) << TURN_BITS
        return number_words(numbers, self.position_field, self._bytes)

    def token_records(self) -> np.ndarray:
        """Words of all tokens, uint8 [vocab_size, token_words, word_bytes]."""
        matrix = self._model.matrices["token_embedding"]
        records = np.zeros((matrix.shape[0], self.token_words, self._bytes), np.uint8)
        for token, mult in enumerate(np.asarray(matrix.mult)):
            records[token, 0] = self.parameters.words([(int(mult), 0)])[0]
        records[:, 1:] = self._codes(matrix, slice(None)).reshape(len(records), -1, self._bytes)
        return records

    # what a program adds, as DecoderImages; places are those in the buffers

    def add_token_embedding(self) -> Place:
        """In the token's record."""
        return Place(0, 0)

    def add_head(self, token: Place) -> Place:
        """Rows of the output head."""
        return self.add_rows(self._model.config.head_name)

    def add_rows(self, name: str, rows=None) -> Place:
        """Rows of a matrix, int [n] (default: all in order)."""
        matrix = self._model.matrices[name]
        rows = np.arange(matrix.shape[0]) if rows is None else rows
        mults, biases = np.asarray(matrix.mult)[rows], row_biases(matrix, rows)
        entries = [(int(m), int(b)) for m, b in zip(mults, biases, strict=True)]
        self._rows = (entries, [(matrix, rows)])
        return Place(0, 0)

    def add_alternating(self, names: tuple[str, str]) -> Place:
        """Rows of two matrices of one shape, in turn."""
        pair = [self._model.matrices[name] for name in names]
        every = np.arange(pair[0].shape[0])
        of_each = [
            zip(map(int, matrix.mult), map(int, row_biases(matrix, every)), strict=True)
            for matrix in pair
        ]
        entries = [entry for both in zip(*of_each, strict=True) for entry in both]
        self._rows = (entries, [(matrix, every) for matrix in pair])
        return Place(0, 0)

    def add_norm(self, name: str) -> int:
        """Gains and biases of a norm."""
        norm, bias = self._model.norms[name], None
        if norm.bias is not None:
            bias = np.asarray(norm.bias, object) << norm.bias_shift
        return self.add_multipliers(norm.gain, bias)

    def add_multipliers(self, multipliers, biases=None) -> int:
        """Multipliers int [n] and biases (default: 0)."""
        biases = [0] * len(multipliers) if biases is None else biases
        self._fills.append([(int(m), int(b)) for m, b in zip(multipliers, biases, strict=True)])
        return 0

    # what becomes of it

    def take_fills(self) -> list[list[tuple[int, int]]]:
        """Parameters that were added without rows since the last call."""
        fills, self._fills = self._fills, []
        return fills

    def take_rows(self):
        """(parameters, rows) added since the last call, or None."""
        rows, self._rows = self._rows, None
        return rows

    def codes(self, rows: list, first: int, count: int) -> np.ndarray:
        """Words of ``count`` rows from ``first`` on, those of several matrices in turn."""
        words = [
            self._codes(matrix, chosen[first // len(rows) : (first + count) // len(rows)]).reshape(
                count // len(rows), -1, self._bytes
            )
            for matrix, chosen in rows
        ]
        return np.stack(words, axis=1).reshape(-1, self._bytes)

    def _codes(self, matrix: Matrix, rows) -> np.ndarray:
        field = self._layout.word_bits // self._layout.lanes
        return number_words(matrix.weight(rows), field, self._bytes)
