"""Memories of weights, one for each format of words, and what they hold."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from amaranth.hdl import Array, Module, Value, unsigned
from amaranth.lib.memory import Memory
from amaranth.utils import ceil_log2

from gateformer.model.contract.decoder.matrix import Matrix

from ...parts.memory_banks import banked_word
from ...parts.registered_read import COLLISION_FREE, registered_read
from .word_format import WordFormat, unsigned_words


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


def stored_word(
    m: Module, stores: Sequence[WeightStore], address: Value, store: Value, part_lanes: int
) -> WeightWord:
    """The word at ``address`` of the store of index ``store``, 2 cycles later; ``store`` is to come
    with the word."""
    codes, scales, minimums = [], [], []
    for number, item in enumerate(stores):
        form, name = item.format, f"weights{number}_" if len(stores) > 1 else "weights"
        word = _word(m, item.words, form.word_bits, address, name)
        beside = word[form.lanes * form.bits :]
        if item.scale_words:
            shared = address[ceil_log2(form.sharing) :]
            beside = _word(m, item.scale_words, form.scale_bits, shared, f"{name}scales")
        codes.append(form.codes(word))
        scales.append(form.scales_of(beside, part_lanes))
        minimums.append(form.minimums_of(beside, part_lanes))

    def chosen(choices: list[list[Value]]) -> list[Value]:
        if len(choices) == 1:
            return choices[0]
        return [Array(each)[store] for each in zip(*choices, strict=True)]

    has_scales = any(item.format.group for item in stores)
    has_minimums = any(item.format.minimum for item in stores)
    return WeightWord(
        chosen(codes),
        chosen(scales) if has_scales else [],
        chosen(minimums) if has_minimums else [],
    )


def _word(m: Module, words: list[int], bits: int, address: Value, name: str) -> Value:
    def bank(number: int, part: range):
        m.submodules[f"{name}{number}"] = block = Memory(
            shape=unsigned(bits),
            depth=len(part),
            init=words[part.start : part.stop],
            attrs={"ram_style": "block", **COLLISION_FREE},
        )
        return registered_read(m, block, address[: ceil_log2(len(part))], f"{name}{number}")

    return banked_word(m, address[: ceil_log2(len(words))], len(words), bank)
