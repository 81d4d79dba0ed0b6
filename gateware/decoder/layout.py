"""Where every number of an imported model lies in the memories of its core.

A *word* is what the lanes take in a cycle. A vector of n numbers fills ``ceil(n / lanes)`` words in
order. For attention a word is divided into ``segments`` of ``segment_lanes``: each holds one query
head, or, when a head is wider than the lanes, one of the ``head_words`` words of the only one. A
word of K or V holds ``kv_segments`` heads, in ``kv_lanes`` lanes, and is shown to the query heads
that share it ``replicas`` times at once; the others follow in further *passes*.
"""

from __future__ import annotations

import dataclasses
import functools

from gateformer.model.contract.config import ModelConfig

from ..parts.integers import ceil_div, check_least
from .instruction import Sink


@dataclasses.dataclass(frozen=True)
class Head:
    """A query head's place in a pass: its segment, its first lane, and whose keys it takes."""

    index: int
    kv_head: int
    segment: int
    lane: int


@dataclasses.dataclass(frozen=True)
class Pass:
    """Query heads that are computed at once.

    Parameters
    ----------
    query_word : int, first word of their queries in the activation memory, from its query base
    kv_word, value_word : int, first word of their keys (values) among those of a position
    heads : tuple of Head
    """

    query_word: int
    kv_word: int
    value_word: int
    heads: tuple[Head, ...]


@dataclasses.dataclass(frozen=True)
class DecoderLayout:
    """Layout of ``config`` on at most ``most_lanes`` lanes.

    A head's channels lie in the lanes from its first one on, word after word. Lanes and words
    beyond a head's or vector's end are never written: they keep the 0 that they begin with, or
    meet weights that are 0.

    Parameters
    ----------
    config : ModelConfig of version 2
    most_lanes : int, at least 1

    Raises
    ------
    TypeError, ValueError
        If ``most_lanes`` is no such integer.
    """

    config: ModelConfig
    most_lanes: int

    def __post_init__(self):
        check_least("most_lanes", self.most_lanes, 1)

    @property
    def segment_lanes(self) -> int:
        """Lanes of a head: all of its numbers, or as many as there are lanes."""
        return min(self.config.head_dim, self.most_lanes)

    @property
    def head_words(self) -> int:
        """Words of a head; more than one only if it is wider than the lanes."""
        return ceil_div(self.config.head_dim, self.segment_lanes)

    @property
    def key_words(self) -> int:
        """Words of a head's keys, and of its query."""
        return self.head_words

    @property
    def value_lanes(self) -> int:
        """Channels in a word of a head's values."""
        return self.segment_lanes

    @property
    def kv_segments(self) -> int:
        """Key heads in a word."""
        if self.head_words > 1:
            return 1
        return min(self.config.n_kv_heads, max(self.most_lanes // self.segment_lanes, 1))

    @property
    def kv_lanes(self) -> int:
        """Lanes of a word of K or V: lane i of all lanes sees lane i mod ``kv_lanes``."""
        return self.kv_segments * self.segment_lanes

    @property
    def share(self) -> int:
        """Query heads per key head."""
        return self.config.n_heads // self.config.n_kv_heads

    @property
    def replicas(self) -> int:
        """Times that a word of K or V is shown, each to other query heads."""
        if self.head_words > 1:
            return 1
        return min(self.share, max(self.most_lanes // self.kv_lanes, 1))

    @property
    def segments(self) -> int:
        """Query heads of a pass, at most."""
        return self.replicas * self.kv_segments

    @property
    def lanes(self) -> int:
        """Multipliers that are built: ``most_lanes`` less those that no head could use."""
        return self.segments * self.segment_lanes

    @property
    def kv_words(self) -> int:
        """Words of K (and of V) per position."""
        return ceil_div(self.config.n_kv_heads, self.kv_segments) * self.head_words

    @functools.cached_property
    def passes(self) -> tuple[Pass, ...]:
        """All query heads, each once."""
        passes = []
        per_kv = ceil_div(self.share, self.replicas)
        for group in range(ceil_div(self.config.n_kv_heads, self.kv_segments)):
            for part in range(per_kv):
                heads = []
                for replica in range(self.replicas):
                    place = part * self.replicas + replica
                    for i in range(self.kv_segments):
                        kv_head = group * self.kv_segments + i
                        if place < self.share and kv_head < self.config.n_kv_heads:
                            segment = replica * self.kv_segments + i
                            lane = segment * self.segment_lanes
                            heads.append(Head(kv_head * self.share + place, kv_head, segment, lane))
                word = len(passes) * self.head_words
                kv_word = group * self.head_words
                passes.append(Pass(word, kv_word, kv_word, tuple(heads)))
        return tuple(passes)

    def words(self, length: int) -> int:
        """Words of a vector of ``length`` numbers, the last one's further lanes unused."""
        return ceil_div(length, self.lanes)

    def result_lanes(self, sink: Sink, query: bool = False) -> int:
        """Numbers in a word of the memory that results go to; ``query``: they are one's."""
        return self.kv_lanes if sink in (Sink.KEY, Sink.VALUE) else self.lanes

    # Activation memory, in words: norm outputs and attention outputs, which never live together;
    # queries; the feed-forward hidden vector.

    @property
    def query_base(self) -> int:
        """First word of queries; norm and attention outputs begin at word 0."""
        return self.words(max(self.config.d_model, self.config.n_heads * self.config.head_dim))

    @property
    def hidden_base(self) -> int:
        """First word of the feed-forward hidden vector."""
        return self.query_base + len(self.passes) * self.head_words

    @property
    def activation_words(self) -> int:
        return self.hidden_base + self.words(self.config.d_ff)

    # Key memory and value memory: [layer, position, word].

    @property
    def cache_words(self) -> int:
        return self.config.n_layers * self.config.ctx_len * self.kv_words

    def cache_base(self, layer: int) -> int:
        """First word of a layer's keys (or values): ``kv_words`` follow for each position."""
        return layer * self.config.ctx_len * self.kv_words

    @property
    def position_words(self) -> int:
        """Words of K (and of V) from a position to the next one."""
        return self.kv_words

    def key_place(self, kv_head: int) -> tuple[int, int]:
        """(word among those of a position, lane) of the first channel of a head's key."""
        group, i = divmod(kv_head, self.kv_segments)
        return group * self.head_words, i * self.segment_lanes

    def value_place(self, kv_head: int) -> tuple[int, int]:
        """(word among those of a position, lane) of the first channel of a head's value."""
        return self.key_place(kv_head)
