"""Memories of weights, one for each format of words, and what they hold."""

from __future__ import annotations

import dataclasses
import functools
import operator
from collections.abc import Sequence

import numpy as np
from amaranth.hdl import Module, Value, unsigned
from amaranth.lib.memory import Memory
from amaranth.utils import ceil_log2

from gateformer.model.contract.decoder.matrix import Matrix

from ...parts.delay import delayed
from ...parts.loadable_memory import BLOCK
from ...parts.memory_banks import asked_word
from ...parts.registered_read import COLLISION_FREE, registered_read
from .word_format import WordFormat, unsigned_words

STORED_LATENCY = 2
"""Cycles from an address to its word."""


@dataclasses.dataclass
class WeightStore:
    """Words of one format, in the order in which they were added.

    Parameters
    ----------
    format : WordFormat
    words : list of int, unsigned
    scale_words : list of int, unsigned: of groups that take several words
    """

    format: WordFormat
    words: list[int] = dataclasses.field(default_factory=list)
    scale_words: list[int] = dataclasses.field(default_factory=list)

    def add(self, matrices: Sequence[Matrix], rows) -> int:
        """Rows (an index array) of matrices of one shape, in turn; the first one's address."""
        first = len(self.words)
        packed = [self.format.pack(matrix, rows) for matrix in matrices]
        words, scale_words = zip(*packed, strict=True)
        self.words += unsigned_words(np.stack(words, axis=1))
        self.scale_words += unsigned_words(np.stack(scale_words, axis=1))
        return first


@dataclasses.dataclass(frozen=True)
class WeightWord:
    """A word out of the memories: signed codes by lane; by part (sums of a scale) unsigned scales
    and signed minimums, empty where no store has any."""

    codes: list[Value]
    scales: list[Value]
    minimums: list[Value]


def store_names(stores: Sequence[WeightStore]) -> list[str]:
    """What the memories of each store are called: ``_bank0`` and so on follow, with ``_scales``
    before that of words of scales."""
    if len(stores) == 1:
        return ["weights"]
    return [f"weights{number}" for number in range(len(stores))]


def stored_word(
    m: Module,
    stores: Sequence[WeightStore],
    address: Value,
    asked: Sequence[Value],
    part_lanes: int,
) -> WeightWord:
    """The word at ``address`` of the store for which ``asked`` is set, STORED_LATENCY cycles later.

    All codes are 0 if none is.
    """
    codes, scales, minimums = [], [], []
    for name, item, chosen in zip(store_names(stores), stores, asked, strict=True):
        form = item.format
        word = _word(m, item.words, form.word_bits, address, chosen, name)
        beside = word[form.lanes * form.bits :]
        if item.scale_words:
            shared = address[ceil_log2(form.sharing) :]
            beside = _word(m, item.scale_words, form.scale_bits, shared, chosen, f"{name}_scales")
        if not form.group:
            beside = delayed(m, chosen, STORED_LATENCY, name=f"{name}_asked")
        codes.append(form.codes(word))
        scales.append(form.scales_of(beside, part_lanes))
        minimums.append(form.minimums_of(beside, part_lanes))
    has_scales = any(item.format.group for item in stores)
    has_minimums = any(item.format.minimum for item in stores)
    return WeightWord(
        _any(codes),
        _any(scales) if has_scales else [],
        _any(minimums) if has_minimums else [],
    )


def _any(choices: list[list[Value]]) -> list[Value]:
    """Of each place the only choice that is not 0."""
    if len(choices) == 1:
        return choices[0]
    return [functools.reduce(operator.or_, each) for each in zip(*choices, strict=True)]


def _word(m: Module, words: list[int], bits: int, address: Value, asked: Value, name: str) -> Value:
    def bank(number: int, part: range):
        m.submodules[f"{name}_bank{number}"] = block = Memory(
            shape=unsigned(bits),
            depth=len(part),
            init=words[part.start : part.stop],
            attrs={**BLOCK, **COLLISION_FREE},
        )
        return registered_read(m, block, address[: ceil_log2(len(part))], f"{name}_read{number}")

    return asked_word(m, address[: ceil_log2(len(words))], len(words), asked, bank)
