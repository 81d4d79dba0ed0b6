"""What a streamed core reads: words in the order of use, and a record per token and position."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Sequence

import numpy as np

from gateformer.model.contract.arith import signed_width
from gateformer.model.contract.decoder.matrix import Matrix
from gateformer.model.contract.decoder.model import DecoderModel

from ..decoder.images import DecoderImages, Place, row_parameters
from ..decoder.instruction import Instruction, Source
from ..decoder.tables import TURN_BITS, position_width
from ..decoder.weights.weight_store import WeightStore
from ..parts.integers import ceil_div
from .layout import StreamedLayout
from .row_format import RowFormat, fields_of, number_words, whole_words

NARROWEST_PARAMETER = 32
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
    next one is chosen takes them. ``slot``: all but FIXED are one's; ``after_stores``: the first
    one behind a layer's stores.
    """

    kind: Kind
    stripe: int
    words: int
    predicts: bool = False
    slot: int = 0
    after_stores: bool = False


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
        return fields_of(self.word_bits, max(self.factor + self.bias, NARROWEST_PARAMETER))

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


@dataclasses.dataclass(frozen=True)
class Rows:
    """Rows of matrices of one shape, in turn, with their parameters.

    Parameters
    ----------
    parameters : list of (multiplier, bias), in the order of the rows
    matrices : sequence of Matrix
    rows : int array
    format : RowFormat
    """

    parameters: list[tuple[int, int]]
    matrices: Sequence[Matrix]
    rows: np.ndarray
    format: RowFormat

    @property
    def row_words(self) -> int:
        """Words of codes of a row."""
        return self.format.code_words(self.matrices[0].shape[1])

    def words(self, first: int, count: int) -> np.ndarray:
        """Of ``count`` of them from ``first`` on, uint8 [n, word_bytes]."""
        each = len(self.matrices)
        chosen = self.rows[first // each : (first + count) // each]
        return self.format.words(self.matrices, chosen)[0]


def row_groups(model: DecoderModel) -> list[list[Matrix]]:
    """The matrices whose rows an instruction takes in turn, for all instructions."""
    names = set(model.matrices)
    parts = []
    for i in range(model.config.n_layers if model.config.gated else 0):
        pair = [f"layers.{i}.{kind}_proj" for kind in ("gate", "up")]
        names -= set(pair)
        parts.append([model.matrices[name] for name in pair])
    return [*parts, *([model.matrices[name]] for name in sorted(names))]


class StreamedImages(DecoderImages):
    """What is added becomes words in order, parameters before the rows that they are of; a store is
    a format, and what is in it lies in the stream.

    Parameters
    ----------
    model : DecoderModel
    layout : StreamedLayout

    Attributes
    ----------
    parameter_format : ParameterFormat
    token_words, position_words : int, words of a record
    most_parameters : int, entries that a half of the parameters' buffer holds
    """

    def __init__(self, model: DecoderModel, layout: StreamedLayout):
        super().__init__(model, layout.lanes)
        self._layout = layout
        self._bytes = layout.memory.word_bytes
        self.parameter_format = ParameterFormat.of(model, layout.word_bits)
        cfg = model.config
        # a power of two, so that the halves are apart by one bit
        most = max(cfg.d_model, cfg.n_kv_heads * cfg.head_dim, cfg.head_dim)
        self.most_parameters = max(1 << (most - 1).bit_length(), self.parameter_format.per_word)
        token = RowFormat.holding([model.matrices["token_embedding"]], layout.word_bits)
        words = token.code_words(cfg.d_model)
        self.token_words = 1 + token.scale_words(words) + words
        self.position_words = ceil_div(self._position_entries, self._per_word)
        self._fills: list[list[tuple[int, int]]] = []
        self._rows: Rows | None = None

    @property
    def row_formats(self) -> list[RowFormat]:
        """Of an instruction's rows, by its store; the first one is that of the token embedding."""
        return [RowFormat(store.format, self._layout.word_bits) for store in self.stores]

    def scale_words(self, item: Instruction) -> int:
        """Words of scales that an instruction takes."""
        form = self.row_formats[item.store]
        if item.source is Source.MATRIX:
            return form.scale_words(item.beats(0))
        if item.source is Source.ELEMENT:
            return form.scale_words(form.code_words(item.beats(0)))
        return 0

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
        return number_words(numbers, self.position_field, self._bytes)[0]

    def token_records(self) -> np.ndarray:
        """Words of all tokens, uint8 [vocab_size, token_words, word_bytes]."""
        matrix = self._model.matrices["token_embedding"]
        records = np.zeros((matrix.shape[0], self.token_words, self._bytes), np.uint8)
        for token, mult in enumerate(np.asarray(matrix.mult)):
            records[token, 0] = self.parameter_format.words([(int(mult), 0)])[0]
        form = RowFormat.holding([matrix], self._layout.word_bits)
        records[:, 1:] = form.words([matrix], slice(None), apart=True)
        return records

    # what a program adds; places are those in the buffers

    def add_token_embedding(self) -> Place:
        """In the token's record."""
        return Place(0, 0, self._store([self._model.matrices["token_embedding"]]))

    def add_head(self, token: Place) -> Place:
        """Rows of the output head, once more if they are those of the token embedding."""
        return self.add_rows(self._model.config.head_name)

    def add_multipliers(self, multipliers, biases=None) -> int:
        """Multipliers int [n] and biases (default: 0)."""
        self._fills.append(_entries(multipliers, biases))
        return 0

    def _add(self, matrices: Sequence[Matrix], rows) -> Place:
        index = self._store(matrices)
        entries = _entries(*row_parameters(matrices, rows))
        self._rows = Rows(entries, matrices, rows, self.row_formats[index])
        return Place(0, 0, index)

    def _store(self, matrices: Sequence[Matrix]) -> int:
        """As DecoderImages; one store has codes of any width that lie in the same fields."""
        form = RowFormat.holding(matrices, self._layout.word_bits).form
        for index, store in enumerate(self.stores):
            bits = max(store.format.bits, form.bits)
            if dataclasses.replace(store.format, bits=bits) == dataclasses.replace(form, bits=bits):
                store.format = dataclasses.replace(form, bits=bits)
                return index
        self.stores.append(WeightStore(form))
        return len(self.stores) - 1

    # what becomes of it

    def take_fills(self) -> list[list[tuple[int, int]]]:
        """Parameters that were added without rows since the last call."""
        fills, self._fills = self._fills, []
        return fills

    def take_rows(self) -> Rows | None:
        """Those that were added since the last call, if any."""
        rows, self._rows = self._rows, None
        return rows


def _entries(multipliers, biases=None) -> list[tuple[int, int]]:
    biases = [0] * len(multipliers) if biases is None else biases
    return [(int(m), int(b)) for m, b in zip(multipliers, biases, strict=True)]
