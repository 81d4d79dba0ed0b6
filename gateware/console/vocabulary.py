"""The texts of the tokens, in both directions, and the multipliers of the temperatures."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from amaranth.hdl import Cat, Module, Signal, Value, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from gateformer.model.contract.sampling import (
    MAX_TEMPERATURE_SHIFT,
    TEMPERATURE_MULT_BITS,
    SamplingSettings,
)
from gateformer.model.support.errors import UserError
from gateformer.model.text.tokenizer import CharTokenizer

from ..parts.loadable_memory import block_attributes, connect_write, late_read, write_layout
from ..parts.one_hot import OneHot
from .messages import DECIMALS, TEMPERATURE_STEPS

TEXT_BYTES = 4
"""Bytes of the longest UTF-8 sequence."""

TEXT_LAYOUT = data.StructLayout(
    {"bytes": 8 * TEXT_BYTES, "first": range(TEXT_BYTES), "empty": 1, "control": 1}
)
"""A token's text in UTF-8: bytes ``first`` to 0 of ``bytes``, with zeros above; a newline is
:data:`NEWLINE`. ``empty``: there is no text; ``bytes`` is what no text can be. ``control``: a
control character other than newline and TAB; byte ``first``, the highest, is shown instead."""
NEWLINE = int.from_bytes(b"\r\n", "big")
CONCEALED = ord("?")
NO_TEXT = 2 ** (8 * TEXT_BYTES) - 1

TEMPERATURE_LAYOUT = data.StructLayout(
    {"mult": TEMPERATURE_MULT_BITS, "shift": range(MAX_TEMPERATURE_SHIFT + 1)}
)


def token_texts(vocabulary: Sequence[str]) -> list[dict]:
    """An entry of TEXT_LAYOUT per token.

    Raises UserError, naming the token, if its text is more than one character, the same as
    another's, or nothing that UTF-8 can hold.
    """
    entries = []
    for token, text in enumerate(CharTokenizer(vocabulary).vocabulary):
        try:
            content = text.encode()
        except UnicodeEncodeError:
            raise UserError(
                f"vocabulary entry {token} must be a character that UTF-8 can hold, not {text!r}"
            ) from None
        entries.append(_entry(text, content))
    return entries


def _entry(text: str, content: bytes) -> dict:
    if not text:
        return {"bytes": NO_TEXT, "empty": 1}
    if text == "\n":
        return {"bytes": NEWLINE, "first": 1}
    value, highest = int.from_bytes(content, "big"), TEXT_BYTES - 1
    if unicodedata.category(text) == "Cc" and text != "\t":
        return {"bytes": CONCEALED << (8 * highest) | value, "first": highest, "control": 1}
    return {"bytes": value, "first": len(content) - 1}


def temperature_entries(
    logit_scale: float, vocab_size: int, kind: type[SamplingSettings] = SamplingSettings
) -> list[dict]:
    """An entry of TEMPERATURE_LAYOUT per hundredth of a temperature, as Python's settings.

    ``kind``: those of the model's contract version, whose widths the entries have.
    """
    entries = []
    for hundredths in range(TEMPERATURE_STEPS):
        settings = kind.from_user(
            temperature=hundredths / 10**DECIMALS,
            top_k=0,
            seed=0,
            logit_scale=logit_scale,
            vocab_size=vocab_size,
        )
        entries.append({"mult": settings.temperature_mult, "shift": settings.temperature_shift})
    return entries


def vocabulary_words(vocabulary: Sequence[str], logit_scale: float) -> list[int]:
    """Contents of the memory: texts, zeros up to its middle, then temperatures.

    Raises UserError as :func:`token_texts`.
    """
    texts = token_texts(vocabulary)
    temperatures = temperature_entries(logit_scale, len(texts))
    words = [TEXT_LAYOUT.const(entry).as_value().value for entry in texts]
    words += [0] * (2 ** _address_bits(len(texts)) - len(texts))
    return words + [TEMPERATURE_LAYOUT.const(entry).as_value().value for entry in temperatures]


def vocabulary_depth(vocab_size: int) -> int:
    """Number of words that are of account."""
    return 2 ** _address_bits(vocab_size) + TEMPERATURE_STEPS


def _address_bits(vocab_size: int) -> int:
    """Bits of an address in either half of the memory."""
    return (max(vocab_size, TEMPERATURE_STEPS) - 1).bit_length()


def equal_bytes(text: Value, character: Value) -> Value:
    """Which of the bytes of a text are those of a character, one bit each."""
    return Cat(text.word_select(i, 8) == character.word_select(i, 8) for i in range(TEXT_BYTES))


class ConsoleVocabulary(wiring.Component):
    """One block memory: token to text by address, character to token by search.

    Its upper half holds the entries of the temperatures. ``look_up`` and ``search`` are pulses;
    the unit must not be busy.

    Parameters
    ----------
    vocabulary : sequence of str
    logit_scale : float
    loadable : bool
        The memory can be written.

    Members
    -------
    look_up, look_up_temperature : In(1)
        Makes ``text``, ``temperature`` the entry of ``token``, ``hundredths``, 3 cycles later.
    token : In(range(vocab_size)), hundredths : In(range(256))
    search : In(1)
        Looks for ``character``, which stays until the search is over.
    character : In(32)
        As ``bytes`` of TEXT_LAYOUT.
    busy : Out(1)
        While searching; at most 4 * vocab_size cycles, from the cycle after ``search``.
    found : Out(1), address : Out
        After a search: whether there is such a token, and which.
    text : Out(TEXT_LAYOUT), temperature : Out(TEMPERATURE_LAYOUT)
    write : In(write_layout(...)), sweeping : In(1), sweep_address : In, word : Out(39)
        With ``loadable``: ``word`` is that of ``sweep_address``, while ``sweeping``, 3 cycles
        before.

    Raises
    ------
    UserError
        As :func:`token_texts`.
    """

    def __init__(self, vocabulary: Sequence[str], *, logit_scale: float, loadable: bool = False):
        self._words = vocabulary_words(vocabulary, logit_scale)
        self._vocab_size, self._loadable = len(vocabulary), loadable
        self._address_bits = _address_bits(len(vocabulary))
        self._depth = 2 * 2**self._address_bits
        ports = {
            "write": In(write_layout(self._depth, TEXT_LAYOUT.size)),
            "sweeping": In(1),
            "sweep_address": In(self._address_bits + 1),
            "word": Out(TEXT_LAYOUT.size),
        }
        super().__init__(
            {
                "look_up": In(1),
                "look_up_temperature": In(1),
                "token": In(range(self._vocab_size)),
                "hundredths": In(range(TEMPERATURE_STEPS)),
                "search": In(1),
                "character": In(8 * TEXT_BYTES),
                "busy": Out(1),
                "found": Out(1),
                "address": Out(self._address_bits),
                "text": Out(TEXT_LAYOUT),
                "temperature": Out(TEMPERATURE_LAYOUT),
                **(ports if loadable else {}),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = memory = Memory(
            shape=unsigned(TEXT_LAYOUT.size),
            depth=self._depth,
            init=self._words,
            attrs=block_attributes(self._loadable),
        )
        upper = Signal(reset_less=True)
        address = Signal.like(self.address, reset_less=True)
        place = Cat(address, upper)
        word = late_read(m, memory, place, writable=self._loadable, name="word")
        m.d.comb += [
            self.address.eq(address),
            self.text.eq(data.View(TEXT_LAYOUT, word)),
            self.temperature.eq(data.View(TEMPERATURE_LAYOUT, word[: TEMPERATURE_LAYOUT.size])),
        ]
        with m.If(self.look_up):
            m.d.sync += [address.eq(self.token), upper.eq(0)]
        with m.If(self.look_up_temperature):
            m.d.sync += [address.eq(self.hundredths), upper.eq(1)]
        if self._loadable:
            connect_write(m, memory, range(self._depth), self.write)
            m.d.comb += self.word.eq(word)
            with m.If(self.sweeping):
                m.d.sync += place.eq(self.sweep_address)
        self._search(m, address, upper)
        return m

    def _search(self, m: Module, address, upper):
        equal = Signal(TEXT_BYTES, reset_less=True)
        # the address stays for three cycles before they count
        following, is_last = Signal.like(address, name="following"), Signal(reset_less=True)
        m.d.sync += [
            equal.eq(equal_bytes(self.text.bytes, self.character)),
            following.eq(address + 1),
            is_last.eq(address == self._vocab_size - 1),
        ]
        # what asks for a search looks at `busy`, so its way back to the address is a long one
        with OneHot(m, "IDLE") as fsm:
            m.d.comb += self.busy.eq(~fsm.ongoing("IDLE"))
            with fsm.state("IDLE"), m.If(self.search):
                m.d.sync += [address.eq(0), upper.eq(0), self.found.eq(0)]
                fsm.next = "READ"
            with fsm.state("READ"):
                fsm.next = "FETCH"
            with fsm.state("FETCH"):
                fsm.next = "COMPARE"
            with fsm.state("COMPARE"):
                fsm.next = "DECIDE"
            with fsm.state("DECIDE"):
                with m.If(equal[:-1].all() & (equal[-1] | self.text.control)):
                    m.d.sync += self.found.eq(1)
                    fsm.next = "IDLE"
                with m.Elif(is_last):
                    fsm.next = "IDLE"
                with m.Else():
                    m.d.sync += address.eq(following)
                    fsm.next = "READ"
