"""Lanes whose words come from the stream, or from buffers of this position's keys and values."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib.wiring import In, Out

from ..decoder.instruction import Source
from ..decoder.lanes import DecoderLanes
from ..parts.delay import delayed
from ..parts.group_memory import GroupMemory
from .layout import StreamedLayout


class StreamedLanes(DecoderLanes):
    """As :class:`gateware.decoder.lanes.DecoderLanes`, but that words are handed to it.

    Attributes
    ----------
    WORD = 4 : cycles from a beat to ``used``

    Members
    -------
    Those of DecoderLanes, and

    word : In(word_bits), taken : In(1)
        The stream's word, kept from the beat with ``taken`` on until the next one.
    local, local_value : In(1), with the beat
        Its word is the buffers' one at ``address`` instead, of keys or of values.
    used : Out(word_bits)
        The word that a beat uses, as it lies in the memory.
    """

    WORD = DecoderLanes.COEFFICIENT_DELAY - 2

    def __init__(self, *, layout: StreamedLayout, code_bits: int, dsp: str = "generic"):
        super().__init__(layout=layout, code_bits=code_bits, weight_words=[], dsp=dsp)

    def _further_ports(self) -> dict:
        bits = self._layout.word_bits
        return {
            "word": In(bits),
            "taken": In(1),
            "local": In(1),
            "local_value": In(1),
            "used": Out(bits),
        }

    def _words(self, m: Module) -> list:
        """The lanes' numbers, a cycle after the word that they are of."""
        layout, bits, wait = self._layout, self._layout.config.bits, self.WORD
        kept = Signal(layout.word_bits, reset_less=True)
        with m.If(self.taken):
            m.d.sync += kept.eq(self.word)
        streamed = delayed(m, kept, wait - 1, name="streamed")
        address = delayed(m, self.beat.address, wait - 1, name="address")
        keys, values = (
            self._buffer(m, name, address, write, fields, width)
            for name, write, fields, width in (
                ("keys", self.key_write, layout.key_lanes, bits.key),
                ("values", self.value_write, layout.value_lanes, bits.value),
            )
        )
        local = delayed(m, self.local, wait, name="local")
        of_values = delayed(m, self.local_value, wait, name="local_value")
        m.d.comb += self.used.eq(Mux(local, Mux(of_values, values, keys), streamed))
        source = delayed(m, self.beat.source, wait, name="source")
        score, weigh = source == Source.SCORE, source == Source.WEIGH
        numbers = []
        for i in range(layout.lanes):
            number = Signal(signed(self._memory_bits), reset_less=True, name=f"number{i}")
            key = self._field(i, layout.key_lanes, bits.key)
            value = self._field(i, layout.value_lanes, bits.value)
            weight = self._field(i, layout.lanes, self._code_bits)
            m.d.sync += number.eq(Mux(weigh, value, Mux(score, key, weight)))
            numbers.append(number)
        return numbers

    def _field(self, lane: int, fields: int, bits: int):
        """Number ``lane`` of the word that is used, 0 beyond its fields."""
        if lane >= fields:
            return 0
        first = lane * (self._layout.word_bits // fields)
        return self.used[first : first + bits].as_signed()

    def _buffer(self, m: Module, name: str, address, write, fields: int, bits: int):
        """The words of one position, as they lie in the memory."""
        layout = self._layout
        m.submodules[name] = block = GroupMemory(
            groups=fields,
            group_width=bits,
            initial_words=[0] * layout.cache_words,
            ram_style="distributed",
        )
        m.d.comb += block.address.eq(address)
        for member, _ in write.shape():
            m.d.comb += getattr(block.write, member).eq(getattr(write, member))
        field = layout.word_bits // fields
        parts = (block.word.word_select(i, bits).as_signed() for i in range(fields))
        return Cat(Cat(part, part[-1].replicate(field - bits)) for part in parts)
