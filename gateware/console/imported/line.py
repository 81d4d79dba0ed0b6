"""The line that is being typed for an imported model: a character is one token or several."""

from __future__ import annotations

from amaranth.hdl import Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from gateformer.model.contract.config import ModelConfig

from ...parts.delay import delayed
from ..byte import ByteDecoder
from ..line import LineEditor
from ..line_memory import entry_layout
from ..messages import MAX_COMMAND, LineError
from .addition import PieceAddition, most_digits
from .pieces import Pieces
from .prompt_memory import PromptMemory


class PieceLineEditor(LineEditor):
    """As :class:`LineEditor`; docs/console.md has the rules.

    A character of several bytes becomes as many tokens, in two rounds: first each byte is only
    looked for, so that nothing of the character is in the line if it does not fit. In a vocabulary
    of characters it is one.

    Parameters
    ----------
    config : ModelConfig
    pieces : Pieces

    Members
    -------
    As of :class:`LineEditor`, and
    opened : In(1)
        With ``rewind``: the cursor moves to the first token before the prompt.
    total : Out
        Tokens of the prompt with those before it.
    """

    SHORTENED = "SETTLE"

    def __init__(self, config: ModelConfig, pieces: Pieces):
        super().__init__(config)
        self._config, self._pieces = config, pieces
        self._room = config.ctx_len - len(pieces.opening)
        # a token's number has its backslash and its semicolon, too
        self._most_further = most_digits(config.vocab_size) + 1

    @property
    def prompt_length(self) -> Value:
        return self.total

    def _further_ports(self) -> dict[str, wiring.Member]:
        return {"opened": In(1), "total": Out(range(2 * self._depth))}

    def elaborate(self, platform):
        self._writing = Signal(reset_less=True)  # the second round
        self._further = Signal(range(self._most_further + 1))  # bytes still to be rubbed out
        return super().elaborate(platform)

    def _build_memory(self) -> PromptMemory:
        return PromptMemory(
            layout=entry_layout(self._value_bits, joined=1, further=range(self._most_further + 1)),
            depth=max(self._config.ctx_len, len(self._pieces.opening) + MAX_COMMAND),
            length_bits=len(self.length),
            opening=self._pieces.opening,
            begin=self._pieces.begin,
        )

    def _build_addition(self, decoder: ByteDecoder) -> PieceAddition:
        addition = PieceAddition(
            line=self._line,
            decoder=decoder,
            memory=self._memory,
            vocab_size=self._config.vocab_size,
        )
        self._left = Signal.like(addition.size)  # bytes after the one that is looked for
        return addition

    def _connect_memory(self, m: Module):
        super()._connect_memory(m)
        m.d.comb += [self._memory.opened.eq(self.opened), self.total.eq(self._memory.total)]

    def _sought(self) -> Value:
        character = self._addition.character
        return character if self._pieces.of_characters else character.word_select(self._left, 8)

    def _found(self, m: Module):
        """A complete character becomes the tokens that the vocabulary has for it."""
        addition, fsm = self._addition, self._fsm
        size = 0 if self._pieces.of_characters else addition.size
        fits = delayed(m, self.length + size < self._room, 1, name="fits")
        is_last = delayed(m, ~self._left.any(), 1, name="is_last")
        with fsm.state("SEARCH"):
            m.d.sync += [self._writing.eq(0), self._left.eq(size)]
            fsm.next = "SEARCH BYTE"
        self._search(m, "SEARCH BYTE")
        with fsm.state("SEARCHED"):
            self._write(m, self._writing, self.token)
            m.d.comb += [
                self._memory.written.escaped.eq(self._line.pending),
                self._memory.written.joined.eq(self._left != size),
            ]
            m.d.sync += self._left.eq(self._left - 1)
            fsm.next = "SEARCH BYTE"
            with m.If(is_last):
                with m.If(self._writing):
                    fsm.next = "WRITTEN"
                with m.Else():
                    fsm.next = "FIT"
        with fsm.state("FIT"):
            self._line.fail(m, LineError.TOO_LONG, when=~fits)
            m.d.sync += [self._writing.eq(1), self._left.eq(size)]
            fsm.next = "WAIT"
            with m.If(fits):
                fsm.next = "SEARCH BYTE"
        with fsm.state("NUMBERED"):
            self._line.fail(m, LineError.TOO_LONG, when=~fits)
            fsm.next = "WAIT"
            with m.If(fits):
                fsm.next = "WRITE NUMBER"
        with fsm.state("WRITE NUMBER"):
            self._write(m, 1, addition.number)
            m.d.comb += self._memory.written.further.eq(addition.digits + 1)
            fsm.next = "WRITTEN"
        with fsm.state("WRITTEN"):
            m.d.sync += [self._line.pending.eq(0), addition.digits.eq(0)]
            fsm.next = "WAIT"

    def _write(self, m: Module, when, token):
        """Append an entry."""
        m.d.comb += [self._memory.write.eq(when), self._memory.written.value.eq(token)]
        m.d.sync += self._line.longer.eq(when)

    def _drop_escape(self, m: Module):
        digits = self._addition.digits
        m.d.sync += [self._further.eq(digits), digits.eq(0)]
        super()._drop_escape(m)

    def _restore(self, m: Module):
        super()._restore(m)
        with self._fsm.state(self.SHORTENED):
            self._fsm.next = "READ"
        with self._fsm.state("AGAIN"):
            m.d.sync += self._further.eq(self._further - 1)
            self._fsm.next = "EVENT"

    def _removed(self, m: Module):
        entry = self._memory.entry
        with m.If(~self.failed & ~self.command):
            m.d.sync += self._further.eq(entry.further)
            with m.If(entry.joined):
                m.d.sync += self._line.shorter.eq(1)
                self._fsm.next = "SHORTEN"

    def _resume(self, m: Module):
        super()._resume(m)
        with m.If(self._further.any()):
            self._fsm.next = "AGAIN"
