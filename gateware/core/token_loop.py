"""Token loop of one text: prompt first, then what the sampler chose, each fed back."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..parts.constant_product import times
from ..parts.one_hot import OneHot

COUNT_BITS = 16
"""Width of the number of tokens to generate."""


def token_stream(vocab_size: int) -> stream.Signature:
    """Stream of tokens; ``last`` marks the final one of a prompt or of a generation."""
    return stream.Signature(data.StructLayout({"token": range(vocab_size), "last": 1}))


class TokenLoop(wiring.Component):
    """Wants the program to run for one token after the other.

    After ``start`` it takes prompt tokens up to the one marked ``last``, then emits ``count``
    tokens (0: until the context is full), feeding each back. It stops early, with
    ``context_full``, when the next token would have no position. A prompt longer than the context
    is consumed to its end and answered with ``context_full`` alone.

    Parameters
    ----------
    vocab_size, ctx_len : int
    token_words : int, of a token in the embedding memory; 0 without one
    count_bits : int, of ``count``

    Members
    -------
    start : In(1), ignored while busy
    count : In(16), sampled at ``start``
    prompt : In(token stream), output : Out(token stream)
    chosen : In, the sampler's token
    wants : Out(1)
        The program is to run for ``token`` at ``position``, from this cycle on until ``granted``.
    granted : In(1), with ``wants``: it begins
    ended : In(1), its last cycle; of no account while none of this loop runs
    predict : Out(1), with ``wants`` and until the program ends: a token will be chosen after it
    token_word : Out, the token's first word in the embedding memory
    busy : Out(1), context_full : Out(1) until the next start
    """

    def __init__(
        self,
        vocab_size: int,
        ctx_len: int,
        token_words: int = 0,
        count_bits: int = COUNT_BITS,
    ):
        self._ctx_len, self._token_words, self._count_bits = ctx_len, token_words, count_bits
        super().__init__(
            {
                "start": In(1),
                "count": In(count_bits),
                "prompt": In(token_stream(vocab_size)),
                "output": Out(token_stream(vocab_size)),
                "chosen": In(wiring.Signature({"valid": Out(1), "token": Out(range(vocab_size))})),
                "wants": Out(1),
                "granted": In(1),
                "ended": In(1),
                "token": Out(range(vocab_size)),
                "position": Out(range(ctx_len + 1)),
                "predict": Out(1),
                "token_word": Out(range(max(vocab_size * token_words, 1))),
                "busy": Out(1),
                "context_full": Out(1),
                **self._further_ports(vocab_size),
            }
        )

    def _further_ports(self, vocab_size: int) -> dict:
        return {}

    def elaborate(self, platform):
        m = Module()
        self._token = Signal.like(self.token, reset_less=True)
        self._token_word = Signal.like(self.token_word, reset_less=True)
        self._position = Signal.like(self.position)
        self._remaining, self._predict = Signal(self._count_bits), Signal()
        # registers: `at_end` follows the position at once, `is_final` a cycle later, which is
        # long before the token is there
        self._at_end, self._is_final = Signal(), Signal()
        # a register for each state in which a token's program may begin, since the instruction's
        # fields and counters hang on it: a prompt's, or (`resuming`) after one that was generated
        self._beginning, self._emitting, self._resuming = Signal(), Signal(), Signal()
        # a prompt's token is taken: in PROMPT unless `at_end`, and in DISCARD
        self._taking = Signal()
        self._no_position_follows = self._position == self._ctx_len - 1
        m.d.sync += self._is_final.eq(self._remaining == 1)
        m.d.comb += [
            self.token.eq(self._token),
            self.token_word.eq(self._token_word),
            self.position.eq(self._position),
            self.predict.eq(self._predict),
            self.prompt.ready.eq(self._taking),
            self.output.valid.eq(self._emitting),
            self.output.payload.token.eq(self._token),
            self.output.payload.last.eq(~self._resuming),
            self.wants.eq(self._beginning | (self._resuming & self.output.ready)),
        ]
        with OneHot(m, "IDLE") as self._fsm:
            with self._fsm.state("IDLE"), m.If(self.start):
                self._begin_run(m)
            with self._fsm.state("PROMPT"):
                self._take_prompt(m)
            with self._fsm.state("BEGIN"):
                self._begin_program(m)
            with self._fsm.state("DISCARD"), m.If(self.prompt.valid & self.prompt.payload.last):
                m.d.sync += self._taking.eq(0)
                self._rest(m)
            with self._fsm.state("RUN"), m.If(self.ended):
                self._end_program(m)
            with self._fsm.state("CHOOSE"), m.If(self.chosen.valid):
                m.d.sync += [
                    *self._keep(self.chosen.token),
                    *self._advance(),
                    self._emitting.eq(1),
                    self._resuming.eq(~(self._is_final | self._no_position_follows)),
                ]
                self._fsm.next = "EMIT"
            with self._fsm.state("EMIT"), m.If(self.output.ready):
                self._go_on(m)
        self._connect_states(m)
        return m

    def _connect_states(self, m: Module):
        m.d.comb += self.busy.eq(~self._fsm.ongoing("IDLE"))

    def _begin_run(self, m: Module):
        """In IDLE, at ``start``."""
        m.d.sync += [
            self._position.eq(0),
            self._at_end.eq(0),
            self._taking.eq(1),
            self._remaining.eq(self.count),
            self.context_full.eq(0),
        ]
        self._fsm.next = "PROMPT"

    def _take_prompt(self, m: Module):
        """In PROMPT: the next of its tokens, or no position is left."""
        with m.If(self._at_end):
            m.d.sync += [self.context_full.eq(1), self._taking.eq(1)]
            self._fsm.next = "DISCARD"
        with m.Else():
            prompt = self.prompt.payload
            m.d.sync += [*self._keep(prompt.token), self._predict.eq(prompt.last)]
            with m.If(self.prompt.valid):
                self._want(m)

    def _want(self, m: Module):
        """In PROMPT: its token is kept."""
        m.d.sync += [self._beginning.eq(1), self._taking.eq(0)]
        self._fsm.next = "BEGIN"

    def _begin_program(self, m: Module):
        """In BEGIN, until the token's program begins."""
        with m.If(self.granted):
            m.d.sync += self._beginning.eq(0)
            self._fsm.next = "RUN"

    def _resume(self, m: Module):
        """In EMIT, when the token's program may begin, too."""
        with m.If(self.granted):
            self._fsm.next = "RUN"
        with m.Else():
            m.d.sync += self._beginning.eq(1)
            self._fsm.next = "BEGIN"

    def _end_program(self, m: Module):
        """In RUN, when a token's program ends."""
        with m.If(self._predict):
            self._fsm.next = "CHOOSE"
        with m.Else():
            self._go_on_with_prompt(m)

    def _go_on_with_prompt(self, m: Module):
        """To the next token of the prompt."""
        m.d.sync += [*self._advance(), self._taking.eq(~self._no_position_follows)]
        self._fsm.next = "PROMPT"

    def _go_on(self, m: Module):
        """In EMIT, when the token is taken."""
        m.d.sync += [
            self._remaining.eq(self._remaining - 1),
            self._emitting.eq(0),
            self._resuming.eq(0),
        ]
        with m.If(~self._resuming):
            m.d.sync += self.context_full.eq(~self._is_final)
            self._rest(m)
        with m.Else():
            self._resume(m)

    def _rest(self, m: Module):
        """Nothing is left to do."""
        self._fsm.next = "IDLE"

    def _keep(self, token) -> list:
        """The token, and its first word in the embedding memory."""
        kept = [self._token.eq(token)]
        if self._token_words:
            kept.append(self._token_word.eq(times(token, self._token_words)))
        return kept

    def _advance(self) -> list:
        """To the next position."""
        return [self._position.eq(self._position + 1), self._at_end.eq(self._no_position_follows)]
