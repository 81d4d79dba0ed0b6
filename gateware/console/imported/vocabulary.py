"""The pieces of an imported model's tokens, in both directions, and its settings' multipliers."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Cat, Module, Signal, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from gateformer.model.contract.decoder.sampling import TOP_P_ONE, DecoderSettings

from ...parts.loadable_memory import BLOCK, late_read
from ..dialect import TOP_P_STEPS
from ..messages import TEMPERATURE_STEPS
from ..vocabulary import TEXT_BYTES, equal_bytes, temperature_entries
from .pieces import BYTES, Pieces, top_p_settings

TEMPERATURE_LAYOUT = data.StructLayout(
    {"mult": DecoderSettings.MULT_BITS, "shift": range(DecoderSettings.MAX_SHIFT + 1)}
)
BYTE_LAYOUT = data.StructLayout({"byte": 8, "last": 1})
"""A byte of a text; ``last``: the text ends with it."""


def packed_texts(texts: Sequence[bytes]) -> tuple[bytes, list[int | None]]:
    """(bytes of all texts, where each begins; None: it is empty).

    A text that another one ends with lies in it.
    """
    content, begins = bytearray(), {b"": None}
    longer, end = b"", 0
    # in this order, what a text ends with comes directly after it
    for text in sorted(set(texts) - {b""}, key=lambda text: text[::-1], reverse=True):
        if not longer.endswith(text):
            content += text
            longer, end = text, len(content)
        begins[text] = end - len(text)
    return bytes(content), [begins[text] for text in texts]


class PieceVocabulary(wiring.Component):
    """Block memories: token to text, byte to token; and the core's settings.

    ``look_up``, ``search`` and ``begin`` are pulses; the unit must not be busy.

    Parameters
    ----------
    pieces : Pieces

    Members
    -------
    look_up : In(1), token : In(range(vocab_size))
        Makes ``empty`` that of ``token``'s text, 3 cycles later.
    begin, advance : In(1)
        Move to that text's first byte, or one on: ``byte`` : Out(BYTE_LAYOUT), 3 cycles later.
    look_up_temperature : In(1), hundredths : In(range(256))
        Makes ``temperature`` : Out(TEMPERATURE_LAYOUT) that of ``hundredths``, 3 cycles later.
    top_p_hundredths : In(range(101)), top_p : Out(range(65537))
        The core's setting, a cycle later.
    search : In(1), character : In(32)
        Looks for a character in UTF-8 with zeros above; it stays until the search is over. A
        single byte is found whatever it is the text of.
    busy : Out(1)
        While searching, from the cycle after ``search``.
    found : Out(1), address : Out(range(vocab_size))
        After a search: whether there is such a token, and which.
    """

    def __init__(self, pieces: Pieces):
        self._pieces, self._vocab_size = pieces, len(pieces.texts)
        self._content, self._begins = packed_texts(pieces.texts)
        self._token = range(self._vocab_size)
        super().__init__(
            {
                "look_up": In(1),
                "token": In(self._token),
                "empty": Out(1),
                "begin": In(1),
                "advance": In(1),
                "byte": Out(BYTE_LAYOUT),
                "look_up_temperature": In(1),
                "hundredths": In(range(TEMPERATURE_STEPS)),
                "temperature": Out(TEMPERATURE_LAYOUT),
                "top_p_hundredths": In(range(TOP_P_STEPS + 1)),
                "top_p": Out(range(TOP_P_ONE + 1)),
                "search": In(1),
                "character": In(8 * TEXT_BYTES),
                "busy": Out(1),
                "found": Out(1),
                "address": Out(self._token),
            }
        )

    def elaborate(self, platform):
        m = Module()
        self._add_texts(m)
        self._add_top_p(m)
        place, of_byte = self._add_table(m)
        self._search(m, place, of_byte)
        return m

    def _add_texts(self, m: Module):
        layout = data.StructLayout({"begin": range(max(len(self._content), 2)), "empty": 1})
        begins = [{"begin": begin or 0, "empty": begin is None} for begin in self._begins]
        places = [begin + len(text) - 1 for begin, text in self._texts() if text]
        ends = set(places)
        content = [byte | (place in ends) << 8 for place, byte in enumerate(self._content)]
        token = Signal(self._token, reset_less=True)
        place = Signal(layout["begin"].shape, reset_less=True)
        m.submodules.begins = memory = _memory(layout, begins)
        entry = late_read(m, memory, token, writable=False, name="begin")
        m.submodules.content = memory = _memory(unsigned(BYTE_LAYOUT.size), content or [0])
        byte = late_read(m, memory, place[: _address_bits(content)], writable=False, name="byte")
        m.d.comb += [self.empty.eq(entry.empty), self.byte.eq(data.View(BYTE_LAYOUT, byte))]
        with m.If(self.look_up):
            m.d.sync += token.eq(self.token)
        with m.If(self.begin):
            m.d.sync += place.eq(entry.begin)
        with m.Elif(self.advance):
            m.d.sync += place.eq(place + 1)

    def _texts(self) -> list[tuple[int, bytes]]:
        return [(begin or 0, t) for begin, t in zip(self._begins, self._pieces.texts, strict=True)]

    def _add_top_p(self, m: Module):
        values = top_p_settings(self._pieces.logit_scale, self._vocab_size)
        # small enough for look-up tables, but not every family's can hold contents
        m.submodules.top_p_values = memory = Memory(
            shape=len(self.top_p), depth=len(values), init=values
        )
        read = memory.read_port()
        m.d.comb += [read.addr.eq(self.top_p_hundredths), self.top_p.eq(read.data)]

    def _add_table(self, m: Module):
        """The memory of bytes and temperatures: the upper half's place, the lower half's entry."""
        layout = data.StructLayout({"token": self._token, "exists": 1})
        words = [
            layout.const({"token": token or 0, "exists": token is not None}).as_value().value
            for token in self._pieces.of_bytes
        ]
        temperatures = temperature_entries(
            self._pieces.logit_scale, self._vocab_size, DecoderSettings
        )
        words += [TEMPERATURE_LAYOUT.const(each).as_value().value for each in temperatures]
        width = max(layout.size, TEMPERATURE_LAYOUT.size)
        m.submodules.table = memory = _memory(unsigned(width), words)
        place, upper = Signal(range(BYTES), reset_less=True), Signal(reset_less=True)
        word = late_read(m, memory, Cat(place, upper), writable=False, name="word")
        m.d.comb += self.temperature.eq(
            data.View(TEMPERATURE_LAYOUT, word[: TEMPERATURE_LAYOUT.size])
        )
        with m.If(self.look_up_temperature):
            m.d.sync += [place.eq(self.hundredths), upper.eq(1)]
        with m.If(self.search):
            m.d.sync += [place.eq(self.character[:8]), upper.eq(0)]
        return place, data.View(layout, word[: layout.size])

    def _search(self, m: Module, place, of_byte):
        characters = self._pieces.of_characters
        result = Signal(data.StructLayout({"token": self._token, "exists": 1}), reset_less=True)
        m.d.comb += [self.found.eq(result.exists), self.address.eq(result.token)]
        with m.FSM() as fsm:
            m.d.comb += self.busy.eq(~fsm.ongoing("IDLE"))
            with m.State("IDLE"), m.If(self.search):
                m.next = "READ"
                if characters:
                    with m.If(self.character[8:].any()):
                        m.next = "FIRST CHARACTER"
            with m.State("READ"):
                m.next = "FETCH"
            with m.State("FETCH"):
                m.next = "DECIDE"
            with m.State("DECIDE"):
                m.d.sync += result.eq(of_byte)
                m.next = "IDLE"
            if characters:
                self._search_characters(m, characters, result)

    def _search_characters(self, m: Module, characters: dict[bytes, int], result):
        """States that compare one character after the other, 4 cycles each."""
        layout = data.StructLayout({"bytes": 8 * TEXT_BYTES, "token": self._token})
        entries = [
            {"bytes": int.from_bytes(text, "big"), "token": token}
            for text, token in characters.items()
        ]
        m.submodules.characters = memory = _memory(layout, entries)
        place = Signal(range(max(len(entries), 2)), reset_less=True)
        address = place[: _address_bits(entries)]
        entry = late_read(m, memory, address, writable=False, name="character")
        equal = Signal(TEXT_BYTES, reset_less=True)
        m.d.sync += equal.eq(equal_bytes(entry.bytes, self.character))
        with m.State("FIRST CHARACTER"):
            m.d.sync += [place.eq(0), result.exists.eq(0)]
            m.next = "READ CHARACTER"
        with m.State("READ CHARACTER"):
            m.next = "FETCH CHARACTER"
        with m.State("FETCH CHARACTER"):
            m.next = "COMPARE CHARACTER"
        with m.State("COMPARE CHARACTER"):
            m.next = "DECIDE CHARACTER"
        with m.State("DECIDE CHARACTER"):
            m.d.sync += [result.token.eq(entry.token), place.eq(place + 1)]
            m.next = "READ CHARACTER"
            with m.If(equal.all()):
                m.d.sync += result.exists.eq(1)
                m.next = "IDLE"
            with m.Elif(place == len(entries) - 1):
                m.next = "IDLE"


def _memory(shape, entries: Sequence) -> Memory:
    return Memory(shape=shape, depth=len(entries), init=entries, attrs=BLOCK)


def _address_bits(entries: Sequence) -> int:
    return (max(len(entries), 1) - 1).bit_length()
