"""Buffers that MOVE fills with words of the stream: parameters, and the position's numbers."""

from __future__ import annotations

from amaranth.hdl import Module, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from ..parts.delay import delayed
from ..parts.loadable_memory import BLOCK
from ..parts.registered_read import COLLISION_FREE, registered_read
from .images import ParameterFormat


class WordBuffer(wiring.Component):
    """Words that are written whole and read field by field.

    Parameters
    ----------
    words : int
    word_bits, field_bits : int, a power of two of fields in a word

    Attributes
    ----------
    LATENCY = 3 : cycles from ``index`` to ``field``

    Members
    -------
    write : In(struct), ``valid``, ``address`` (of a word), ``data``
    index : In, of a field, the words' fields one after the other
    field : Out(field_bits)
    """

    LATENCY = 3

    def __init__(self, *, words: int, word_bits: int, field_bits: int):
        self._words, self._word_bits = words, word_bits
        self._fields = word_bits // field_bits
        super().__init__(
            {
                "write": In(word_write(words, word_bits)),
                "index": In(range(words * self._fields)),
                "field": Out(field_bits),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = memory = Memory(
            shape=unsigned(self._word_bits),
            depth=self._words,
            init=[],
            attrs={**BLOCK, **COLLISION_FREE},
        )
        write = memory.write_port()
        m.d.comb += [
            write.en.eq(self.write.valid),
            write.addr.eq(self.write.address),
            write.data.eq(self.write.data),
        ]
        low = ceil_log2(self._fields)
        place = delayed(m, self.index[:low], 2, name="place")
        word = delayed(m, registered_read(m, memory, self.index[low:], "word"), 1, name="late")
        m.d.sync += self.field.eq(word.word_select(place, len(self.field)) if low else word)
        return m


def word_write(words: int, word_bits: int) -> data.StructLayout:
    """A word that is written."""
    return data.StructLayout({"valid": 1, "address": range(words), "data": word_bits})


class ParameterBuffer(wiring.Component):
    """Multipliers and biases, as :class:`gateware.decoder.tables.Parameters`.

    Parameters
    ----------
    format : ParameterFormat
    entries : int

    Members
    -------
    write : In, of a WordBuffer
    address : In(range(entries)); factor, bias : Out, signed, LATENCY cycles later
    """

    LATENCY = WordBuffer.LATENCY

    def __init__(self, format: ParameterFormat, entries: int):
        self._format = format
        words = max(entries // format.per_word, 1)
        self._buffer_shape = {"words": words, "word_bits": format.word_bits}
        super().__init__(
            {
                "write": In(word_write(words, format.word_bits)),
                "address": In(range(entries)),
                "factor": Out(signed(format.factor)),
                "bias": Out(signed(format.bias)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        kind = self._format
        m.submodules.buffer = buffer = WordBuffer(**self._buffer_shape, field_bits=kind.field)
        m.d.comb += [
            buffer.write.eq(self.write),
            buffer.index.eq(self.address),
            self.factor.eq(buffer.field[: kind.factor].as_signed()),
            self.bias.eq(buffer.field[kind.factor : kind.factor + kind.bias].as_signed()),
        ]
        return m


class PositionBuffer(wiring.Component):
    """The position's numbers, as :class:`gateware.decoder.tables.PositionTable` has all.

    Parameters
    ----------
    words, word_bits, field_bits : int, of the WordBuffer
    width : int, bits of an entry that count

    Members
    -------
    write : In, of a WordBuffer
    position : In(1), of no account; index : In; numbers : Out(width), LATENCY cycles later
    """

    LATENCY = WordBuffer.LATENCY

    def __init__(self, *, words: int, word_bits: int, field_bits: int, width: int):
        self._shape = {"words": words, "word_bits": word_bits, "field_bits": field_bits}
        self._words = words
        super().__init__(
            {
                "write": In(word_write(words, word_bits)),
                "position": In(1),
                "index": In(range(words * (word_bits // field_bits))),
                "numbers": Out(width),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.buffer = buffer = WordBuffer(**self._shape)
        m.d.comb += [
            buffer.write.eq(self.write),
            buffer.index.eq(self.index),
            self.numbers.eq(buffer.field[: len(self.numbers)]),
        ]
        return m
