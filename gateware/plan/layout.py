"""Where every element of a vector lies in the memories of the core.

All data moves in *groups* of ``rows`` elements. A vector is padded to whole groups and the
matrices around it get zero rows and columns for the padding, so any shape fits any hardware.

* The ternary engine reads *chunks* of ``chunk_groups`` groups (``cols`` elements).
* The INT8 array reads *words* of ``word_groups`` groups (``lanes`` elements). For attention a word
  is divided into ``segments`` of ``segment_groups`` groups; a segment holds one head, or, when a
  head is wider than the array, one of the ``head_words`` words of a head.
* With at least twice the lanes that a position's K takes in one word, array words have two
  *halves*, and the memory two rows per word: of K, and of the token embedding where it is the
  output head, one in each half, since one query multiplies both. Of V, and of rows that are looked
  up, each row has a number of its own that multiplies it, and the groups of both halves.

Every stream has its own K and V, behind each other in the array's memory, and its own *region* of
the residual and activation memories, as many rows as a power of two: the region's number is the
upper bits of an address.
"""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
from amaranth.utils import ceil_log2

from gateformer.model.contract.config import ModelConfig

from ..parts.integers import ceil_div
from .hw_config import HwConfig


@dataclasses.dataclass(frozen=True)
class Layout:
    """Layout of ``config`` on hardware ``hw``; everything is derived and cached.

    Index maps (``linear_map``, ``head_map``) give, for each element of a vector, its place
    ``group * rows + lane``.
    """

    config: ModelConfig
    hw: HwConfig

    @property
    def rows(self) -> int:
        return self.hw.rows

    @property
    def d_groups(self) -> int:
        """Groups of a residual vector."""
        return ceil_div(self.config.d_model, self.rows)

    @property
    def ff_groups(self) -> int:
        """Groups of the feed-forward hidden vector."""
        return ceil_div(self.config.d_ff, self.rows)

    @property
    def head_groups(self) -> int:
        """Groups of one head."""
        return ceil_div(self.config.head_dim, self.rows)

    @functools.cached_property
    def segments(self) -> int:
        """Heads per array word (1 when a head is wider than a word)."""
        fitting = max(self.hw.lanes // (self.head_groups * self.rows), 1)
        slots = ceil_div(self.config.n_heads, fitting)
        return ceil_div(self.config.n_heads, slots)

    @property
    def segment_groups(self) -> int:
        return min(self.head_groups, self.hw.lanes // self.rows)

    @property
    def word_groups(self) -> int:
        """Groups per word of the array memory."""
        return self.segments * self.segment_groups

    @property
    def lanes(self) -> int:
        """Bytes of a word, or of its half: ``hw.lanes`` less those that no head could use."""
        return self.word_groups * self.rows

    @functools.cached_property
    def halves(self) -> int:
        """Halves of a word, 1 or 2; a multiplier takes a byte of each."""
        whole = self.kv_words == self.embed_words == 1
        even = self.segment_groups % 2 == 0
        return 2 if whole and even and self.hw.lanes >= 2 * self.lanes else 1

    @property
    def products(self) -> int:
        """INT8 products per cycle: one per lane and half."""
        return self.halves * self.lanes

    @property
    def memory_groups(self) -> int:
        """Groups per word of the array memory, those of both halves."""
        return self.halves * self.word_groups

    @property
    def slots(self) -> int:
        """Passes over the heads."""
        return ceil_div(self.config.n_heads, self.segments)

    @property
    def head_words(self) -> int:
        """Words per slot: 1, or more when a head is wider than a word."""
        return ceil_div(self.head_groups, self.segment_groups)

    @property
    def kv_words(self) -> int:
        """Words per position of K (and of V, and of a query)."""
        return self.slots * self.head_words

    @property
    def kv_groups(self) -> int:
        """Groups per position of K, padding included."""
        return self.kv_words * self.word_groups

    @property
    def embed_words(self) -> int:
        """Words of an embedding row."""
        return ceil_div(self.d_groups, self.word_groups)

    @property
    def query_words(self) -> int:
        """Words of the query registers: they hold a query or the final hidden vector."""
        return max(self.kv_words, self.embed_words)

    @property
    def chunk_groups(self) -> int:
        """Groups per chunk of the ternary engine."""
        return self.hw.cols // self.rows

    def chunks(self, groups: int) -> int:
        """Chunks of a vector of that many groups."""
        return ceil_div(groups, self.chunk_groups)

    @property
    def hidden_chunk(self) -> int:
        """First chunk of the feed-forward hidden vector in the activation memory.

        Norm and attention outputs share the chunks before it: they never live together.
        """
        return max(self.chunks(self.d_groups), self.chunks(self.kv_groups))

    @property
    def stream_chunks(self) -> int:
        """Chunks of one stream in the activation memory."""
        return self.hidden_chunk + self.chunks(self.ff_groups)

    @property
    def chunk_bits(self) -> int:
        """Bits of a row of one stream, of the activation memory or of the query."""
        return ceil_log2(max(self.stream_chunks, self.query_words))

    @property
    def activation_chunks(self) -> int:
        """Depth of the activation memory."""
        several = self.hw.streams > 1
        return self.hw.streams << self.chunk_bits if several else self.stream_chunks

    @property
    def group_bits(self) -> int:
        """Bits of a residual group of one stream."""
        return ceil_log2(self.d_groups)

    @property
    def residual_groups(self) -> int:
        """Depth of the residual memory."""
        return self.hw.streams << self.group_bits if self.hw.streams > 1 else self.d_groups

    def value_group(self, group: int, second: int) -> int:
        """Place of a group of V, or of an embedding's row that is looked up, in its word.

        ``second``: it is of the second row. Even groups of both are in the first half.
        """
        return group % 2 * self.word_groups + group - group % 2 + second

    # Array memory, in words: token embeddings (with halves first for the output head, then to be
    # looked up), position embeddings, then K and V of each layer, stream after stream.

    def _words(self, rows: int, row_words: int) -> int:
        return ceil_div(rows, self.halves) * row_words

    @property
    def lookup_base(self) -> int:
        """First word of the token embedding where it is looked up."""
        return (self.halves - 1) * self._words(self.config.vocab_size, self.embed_words)

    @property
    def position_base(self) -> int:
        return self.lookup_base + self._words(self.config.vocab_size, self.embed_words)

    def key_base(self, layer: int) -> int:
        """First word of the K of a layer of the first stream."""
        first = self.position_base + self._words(self.config.ctx_len, self.embed_words)
        return first + 2 * layer * self._words(self.config.ctx_len, self.kv_words)

    def value_base(self, layer: int) -> int:
        return self.key_base(layer) + self._words(self.config.ctx_len, self.kv_words)

    @property
    def stream_words(self) -> int:
        """Words of the K and V of one stream."""
        return self.key_base(self.config.n_layers) - self.key_base(0)

    @property
    def array_depth(self) -> int:
        """Words of the array memory."""
        return self.key_base(0) + self.hw.streams * self.stream_words

    def linear_map(self, length: int) -> np.ndarray:
        """Place of element i of a residual, norm or hidden vector: simply i."""
        return np.arange(length)

    @functools.cached_property
    def head_map(self) -> np.ndarray:
        """Place of element ``head * head_dim + i`` of q, k, v and the attention output."""
        head, i = np.divmod(np.arange(self.config.d_model), self.config.head_dim)
        segment_lanes = self.segment_groups * self.rows
        slot, segment = np.divmod(head, self.segments)
        part, lane = np.divmod(i, segment_lanes)
        word = slot * self.head_words + part
        return word * self.lanes + segment * segment_lanes + lane
