"""Constant tables beside the engines: multipliers and biases, angles, position embeddings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from amaranth.hdl import Module, Signal, Value, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from gateformer.model.contract.arith import signed_width

from ..parts.constant_product import times
from ..parts.loadable_memory import BLOCK
from ..parts.memory_banks import banked_word
from ..parts.registered_read import COLLISION_FREE, registered_read
from .serial.rotation import TURN_BITS


def constant_word(m: Module, words: list[int], width: int, address: Value) -> Value:
    """The word at ``address``, 2 cycles later, of ``width`` bits."""

    def bank(number: int, part: range):
        m.submodules[f"bank{number}"] = memory = Memory(
            shape=unsigned(width),
            depth=len(part),
            init=words[part.start : part.stop],
            attrs={**BLOCK, **COLLISION_FREE},
        )
        return registered_read(m, memory, address[: ceil_log2(len(part))], f"read{number}")

    return banked_word(m, address, len(words), bank)


def parameter_widths(entries: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """Bits of multipliers and of biases, signed."""
    factor, bias = (max(signed_width(max(map(abs, v))), 2) for v in zip(*entries, strict=True))
    return factor, bias


def parameter_words(entries: Sequence[tuple[int, int]]) -> list[int]:
    """Words of their memory: the multiplier lowest."""
    low, high = parameter_widths(entries)
    masks = (1 << low) - 1, (1 << high) - 1
    return [(factor & masks[0]) | (bias & masks[1]) << low for factor, bias in entries]


class Parameters(wiring.Component):
    """Multipliers (or gains) and biases.

    Parameters
    ----------
    entries : sequence of (multiplier, bias)

    Attributes
    ----------
    LATENCY = 2 : cycles from ``address`` to ``factor`` and ``bias``

    Members
    -------
    address : In; factor, bias : Out, signed
    """

    LATENCY = 2

    def __init__(self, entries: Sequence[tuple[int, int]]):
        self._entries = entries
        factor, bias = parameter_widths(entries)
        super().__init__(
            {
                "address": In(range(len(entries))),
                "factor": Out(signed(factor)),
                "bias": Out(signed(bias)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        low = len(self.factor)
        word = constant_word(m, parameter_words(self._entries), low + len(self.bias), self.address)
        m.d.comb += [self.factor.eq(word[:low]), self.bias.eq(word[low:])]
        return m


class PositionTable(wiring.Component):
    """Rows of a table, a number or a few per entry; a row per position.

    Parameters
    ----------
    entries : int array [ctx_len, entries of a row, numbers of an entry]
    width : int, bits of a number, signed

    Attributes
    ----------
    LATENCY = 2 : cycles from ``index`` to ``numbers``

    Members
    -------
    position : In, two cycles before an ``index`` of its row at least
    index : In, within the row
    numbers : Out(entry's numbers side by side), LATENCY cycles after ``index``
    """

    LATENCY = 2

    def __init__(self, entries: np.ndarray, width: int):
        self._entries, self._width = entries, width
        positions, row, numbers = entries.shape
        super().__init__(
            {
                "position": In(range(positions + 1)),
                "index": In(range(row)),
                "numbers": Out(numbers * width),
            }
        )

    @property
    def words(self) -> list[int]:
        """Of its memory, position after position: the first number of an entry lowest."""
        numbers, mask, width = self._entries.shape[-1], (1 << self._width) - 1, self._width
        flat = (self._entries.reshape(-1, numbers).astype(object) & mask).tolist()
        return [sum(number << i * width for i, number in enumerate(entry)) for entry in flat]

    def elaborate(self, platform):
        m = Module()
        positions, row, _ = self._entries.shape
        first = Signal(range(positions * row), reset_less=True)
        address = Signal.like(first)
        m.d.sync += first.eq(times(self.position, row))
        m.d.comb += [
            address.eq(first + self.index),
            self.numbers.eq(constant_word(m, self.words, len(self.numbers), address)),
        ]
        return m


def angle_table(cos: np.ndarray, sin: np.ndarray) -> PositionTable:
    """Cosines and sines [ctx_len, head_dim / 2], cosine lowest, of :data:`TURN_BITS` each."""
    return PositionTable(np.stack([cos, sin], axis=-1), TURN_BITS)


def position_width(embedding: np.ndarray) -> int:
    """Bits of a number of a position embedding, signed."""
    return signed_width(int(np.abs(embedding).max()))


def position_table(embedding: np.ndarray) -> PositionTable:
    """The position embedding [ctx_len, d_model]."""
    return PositionTable(embedding[..., None], position_width(embedding))
