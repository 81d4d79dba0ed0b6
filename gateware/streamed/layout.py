"""Where the numbers of a streamed model lie: in words of the stream, and in the core's memories.

A *word* is what the memory delivers in a cycle. Weights, keys and values are fields of words, the
first one lowest; there are as many lanes as a word has of the narrowest weights. A word of wider
ones meets a *half* of a word of activations, in the ``wide_lanes`` alone. A head is computed at a
time: its keys (and its query) fill ``key_words`` words of ``key_lanes`` numbers, its values
``value_words`` of ``value_lanes``, in the wide lanes; fields beyond a head's end are 0.
"""

from __future__ import annotations

import dataclasses
import functools

from gateformer.model.contract.config import ModelConfig

from ..decoder.instruction import Sink
from ..decoder.layout import Head, Pass
from ..memory.bus import MemoryShape
from ..parts.integers import ceil_div
from .row_format import WIDE, fields_of


@dataclasses.dataclass(frozen=True)
class StreamedLayout:
    """Layout of ``config`` for words of ``memory``, with weights of ``code_bits`` and wider.

    The names are those of :class:`gateware.decoder.layout.DecoderLayout`, whose place it takes.

    Parameters
    ----------
    config : ModelConfig of version 2
    memory : MemoryShape
    code_bits : int, of the narrowest weights in a word: NARROW or WIDE
    """

    config: ModelConfig
    memory: MemoryShape
    code_bits: int

    segments = 1
    position_words = 0
    """The core keeps the keys and values of one position only."""

    @property
    def word_bits(self) -> int:
        return 8 * self.memory.word_bytes

    @property
    def lanes(self) -> int:
        return fields_of(self.word_bits, self.code_bits)

    @property
    def wide_lanes(self) -> int:
        """Lanes for weights of WIDE fields, keys and values: all of them or half."""
        return fields_of(self.word_bits, WIDE)

    @property
    def halves(self) -> int:
        """Words of wide weights that meet a word of activations, one after the other."""
        return self.lanes // self.wide_lanes

    @property
    def segment_lanes(self) -> int:
        return self.lanes

    @property
    def key_lanes(self) -> int:
        return fields_of(self.word_bits, self.config.bits.key)

    @property
    def value_lanes(self) -> int:
        return fields_of(self.word_bits, self.config.bits.value)

    @property
    def kv_lanes(self) -> int:
        """Lanes of the buffers of keys and values."""
        return max(self.key_lanes, self.value_lanes)

    @property
    def key_words(self) -> int:
        return ceil_div(self.config.head_dim, self.key_lanes)

    @property
    def value_words(self) -> int:
        return ceil_div(self.config.head_dim, self.value_lanes)

    @property
    def kv_words(self) -> int:
        """Words of a head's keys of a position."""
        return self.key_words

    def words(self, length: int) -> int:
        """Words of a vector of ``length`` weights or activations."""
        return ceil_div(length, self.lanes)

    @functools.cached_property
    def passes(self) -> tuple[Pass, ...]:
        """A query head each; words of keys and values are those of the buffers."""
        passes, share = [], self.config.n_heads // self.config.n_kv_heads
        for index in range(self.config.n_heads):
            kv_head = index // share
            key, value = self.key_place(kv_head)[0], self.value_place(kv_head)[0]
            head = Head(index, kv_head, segment=0, lane=0)
            passes.append(Pass(index * self.key_words, key, value, (head,)))
        return tuple(passes)

    @property
    def head_words(self) -> int:
        """Words of a head that are weighed one after the other."""
        return self.value_words

    # activation memory: as DecoderLayout, but that queries and hidden vectors, which never live
    # together, share their words: lanes beyond a head's or vector's end meet a key or weights of 0

    @property
    def query_base(self) -> int:
        return self.words(max(self.config.d_model, self.config.attention_width))

    @property
    def hidden_base(self) -> int:
        """First word of the feed-forward hidden vector."""
        return self.query_base

    @property
    def activation_words(self) -> int:
        queries = self.config.n_heads * self.key_words
        return self.query_base + max(queries, self.words(self.config.d_ff))

    def result_lanes(self, sink: Sink, query: bool = False) -> int:
        """Numbers in a word of the memory that results go to; ``query``: they are one's."""
        if sink is Sink.VALUE:
            return self.value_lanes
        return self.key_lanes if query or sink is Sink.KEY else self.lanes

    # buffers of this position's keys and values, of one layer

    @property
    def cache_words(self) -> int:
        """Words of the larger buffer."""
        return self.config.n_kv_heads * max(self.key_words, self.value_words)

    def cache_base(self, layer: int) -> int:
        """First word of a layer in the buffers."""
        return 0

    def key_place(self, kv_head: int) -> tuple[int, int]:
        """(word, lane) of the first channel of a head's key."""
        return kv_head * self.key_words, 0

    def value_place(self, kv_head: int) -> tuple[int, int]:
        """(word, lane) of the first channel of a head's value."""
        return kv_head * self.value_words, 0

    # external memory, behind its first stripe of keys: for every layer and key head, the keys of
    # all positions, position after position, and each word of the values of all positions

    @property
    def key_stripes(self) -> int:
        """Stripes of a head's keys."""
        return self.memory.stripes(self.config.ctx_len * self.key_words)

    @property
    def value_stripes(self) -> int:
        """Stripes of one word of a head's values."""
        return self.memory.stripes(self.config.ctx_len)

    @property
    def head_stripes(self) -> int:
        return self.key_stripes + self.value_words * self.value_stripes

    @property
    def stripes_of_cache(self) -> int:
        """All keys and values of a stream."""
        return self.config.n_layers * self.config.n_kv_heads * self.head_stripes

    @property
    def words_of_cache(self) -> int:
        """Those stripes' words."""
        return self.stripes_of_cache * self.memory.stripe_words

    def keys_at(self, layer: int, kv_head: int) -> int:
        """First stripe of a head's keys."""
        return (layer * self.config.n_kv_heads + kv_head) * self.head_stripes

    def values_at(self, layer: int, kv_head: int, word: int) -> int:
        """First stripe of a word of a head's values."""
        return self.keys_at(layer, kv_head) + self.key_stripes + word * self.value_stripes
