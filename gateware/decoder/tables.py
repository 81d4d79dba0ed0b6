"""Constant tables beside the engines: multipliers and biases, angles, position embeddings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from amaranth.hdl import Module, Signal, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from gateformer.model.contract.arith import signed_width

from ..parts.constant_product import times
from ..parts.delay import delayed
from ..parts.loadable_memory import BLOCK
from ..parts.registered_read import COLLISION_FREE, registered_read
from .rotation import TURN_BITS


def parameter_widths(entries: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """Bits of multipliers and of biases, signed."""
    factor, bias = (max(signed_width(max(map(abs, v))), 2) for v in zip(*entries, strict=True))
    return factor, bias


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
        masks = (1 << low) - 1, (1 << len(self.bias)) - 1
        m.submodules.memory = memory = Memory(
            shape=unsigned(low + len(self.bias)),
            depth=len(self._entries),
            init=[(f & masks[0]) | (b & masks[1]) << low for f, b in self._entries],
            attrs={**BLOCK, **COLLISION_FREE},
        )
        word = Signal(low + len(self.bias), reset_less=True)
        m.d.sync += word.eq(registered_read(m, memory, self.address))
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

    def elaborate(self, platform):
        m = Module()
        positions, row, numbers = self._entries.shape
        mask, width = (1 << self._width) - 1, self._width
        flat = (self._entries.reshape(-1, numbers).astype(object) & mask).tolist()
        m.submodules.memory = memory = Memory(
            shape=unsigned(numbers * width),
            depth=positions * row,
            init=[sum(number << i * width for i, number in enumerate(entry)) for entry in flat],
            attrs={**BLOCK, **COLLISION_FREE},
        )
        first = Signal(range(positions * row), reset_less=True)
        address = Signal.like(first)
        m.d.sync += first.eq(times(self.position, row))
        m.d.comb += [
            address.eq(first + self.index),
            self.numbers.eq(delayed(m, registered_read(m, memory, address), 1, name="numbers")),
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
