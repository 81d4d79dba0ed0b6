"""Sequencer: runs the program once per token, prompt first, then what the sampler chose."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..parts.constant_product import times
from .instruction_table import InstructionTable

COUNT_BITS = 16
"""Width of the number of tokens to generate."""


def token_stream(vocab_size: int) -> stream.Signature:
    """Stream of tokens; ``last`` marks the final one of a prompt or of a generation."""
    return stream.Signature(data.StructLayout({"token": range(vocab_size), "last": 1}))


class Sequencer(wiring.Component):
    """Token loop and instruction fetch.

    After ``start`` it takes prompt tokens up to the one marked ``last``, running the program for
    each, then emits ``count`` tokens (0: until the context is full), feeding each back. It stops
    early, with ``context_full``, when the next token would have no position. A prompt longer than
    the context is consumed to its end and answered with ``context_full`` alone.

    Parameters
    ----------
    program : Program or DecoderProgram
        Its instructions, the model's config, and ``token_words``.
    issue : IssueUnit or DecoderIssueUnit
        What runs an instruction; it becomes a part of the sequencer.
    instructions : InstructionTable or another of its ``fetch``, optional
        Where instructions come from; by default a table of the program's. It becomes a part, too.

    Attributes
    ----------
    token, position : Signal
        Of the token that the program runs for.

    Members
    -------
    start : In(1), ignored while busy
    count : In(16), sampled at ``start``
    prompt : In(token stream), output : Out(token stream)
    chosen : In, the sampler's token
    beat : Out, that of ``issue``
    busy : Out(1), context_full : Out(1) until the next start
    begins : Out(1)
        A token's program begins: ``token`` and ``position`` are those, from this cycle on.
    predict : Out(1), with ``begins`` and until the program ends: a token will be chosen after it
    """

    def __init__(self, program, issue, instructions=None):
        self._program, self._issue = program, issue
        self._instructions = instructions or InstructionTable(program.instructions)
        vocab_size = program.model.config.vocab_size
        self.position = Signal(range(program.model.config.ctx_len + 1), name="position")
        self.token = Signal(range(vocab_size), reset_less=True, name="_token")
        super().__init__(
            {
                "start": In(1),
                "count": In(COUNT_BITS),
                "prompt": In(token_stream(vocab_size)),
                "output": Out(token_stream(vocab_size)),
                "chosen": In(wiring.Signature({"valid": Out(1), "token": Out(range(vocab_size))})),
                "beat": Out(issue.beat.signature),
                "busy": Out(1),
                "context_full": Out(1),
                "begins": Out(1),
                "predict": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        cfg = self._program.model.config
        m.submodules.issue = issue = self._issue
        wiring.connect(m, wiring.flipped(self.beat), issue.beat)
        self._token_word = Signal.like(issue.token_word, reset_less=True)
        self._remaining, self._predict = Signal(COUNT_BITS), Signal()
        # registers: `at_end` follows the position at once, `is_final` a cycle later, which is
        # long before the token is there
        self._at_end, self._is_final = Signal(), Signal()
        # a register for each state in which a token's program may begin, since the instruction's
        # fields and counters hang on it: a prompt's, or (`resuming`) after one that was generated
        self._beginning, self._emitting, self._resuming = Signal(), Signal(), Signal()
        # a prompt's token is taken: in PROMPT unless `at_end`, and in DISCARD
        self._taking = Signal()
        self._no_position_follows = self.position == cfg.ctx_len - 1
        m.d.sync += [self._is_final.eq(self._remaining == 1), self._beginning.eq(0)]
        m.d.comb += [
            issue.position.eq(self.position),
            issue.token_word.eq(self._token_word),
            self.prompt.ready.eq(self._taking),
            self.output.valid.eq(self._emitting),
            self.output.payload.token.eq(self.token),
            self.output.payload.last.eq(~self._resuming),
        ]
        begin = self._beginning | (self._resuming & self.output.ready)
        idle = Signal()
        m.d.comb += [self.begins.eq(begin), self.predict.eq(self._predict)]
        ended = self._fetch(m, issue, begin, self._predict, idle)
        with m.FSM() as fsm:
            m.d.comb += [idle.eq(fsm.ongoing("IDLE")), self.busy.eq(~idle)]
            with m.State("IDLE"), m.If(self.start):
                self._begin_run(m)
            with m.State("PROMPT"):
                self._take_prompt(m)
            with m.State("BEGIN"):
                m.next = "RUN"
            with m.State("DISCARD"), m.If(self.prompt.valid & self.prompt.payload.last):
                m.d.sync += self._taking.eq(0)
                m.next = "IDLE"
            with m.State("RUN"), m.If(ended):
                self._end_program(m)
            with m.State("CHOOSE"), m.If(self.chosen.valid):
                m.d.sync += [
                    *self._keep(self.chosen.token),
                    *self._advance(),
                    self._emitting.eq(1),
                    self._resuming.eq(~(self._is_final | self._no_position_follows)),
                ]
                m.next = "EMIT"
            with m.State("EMIT"), m.If(self.output.ready):
                self._go_on(m)
        return m

    def _begin_run(self, m: Module):
        """In IDLE, at ``start``."""
        m.d.sync += [
            self.position.eq(0),
            self._at_end.eq(0),
            self._taking.eq(1),
            self._remaining.eq(self.count),
            self.context_full.eq(0),
        ]
        m.next = "PROMPT"

    def _take_prompt(self, m: Module):
        """In PROMPT: the next of its tokens, or no position is left."""
        with m.If(self._at_end):
            m.d.sync += [self.context_full.eq(1), self._taking.eq(1)]
            m.next = "DISCARD"
        with m.Else():
            prompt = self.prompt.payload
            m.d.sync += [*self._keep(prompt.token), self._predict.eq(prompt.last)]
            with m.If(self.prompt.valid):
                m.d.sync += [self._beginning.eq(1), self._taking.eq(0)]
                m.next = "BEGIN"

    def _end_program(self, m: Module):
        """In RUN, when a token's program ends."""
        with m.If(self._predict):
            m.next = "CHOOSE"
        with m.Else():
            m.d.sync += [*self._advance(), self._taking.eq(~self._no_position_follows)]
            m.next = "PROMPT"

    def _go_on(self, m: Module):
        """In EMIT, when the token is taken."""
        m.d.sync += [
            self._remaining.eq(self._remaining - 1),
            self._emitting.eq(0),
            self._resuming.eq(0),
        ]
        with m.If(~self._resuming):
            m.d.sync += self.context_full.eq(~self._is_final)
            m.next = "IDLE"
        with m.Else():
            m.next = "RUN"

    def _keep(self, token) -> list:
        """The token, and its first word in the embedding memory."""
        words = self._program.token_words
        return [self.token.eq(token), self._token_word.eq(times(token, words))]

    def _advance(self) -> list:
        """To the next position."""
        return [self.position.eq(self.position + 1), self._at_end.eq(self._no_position_follows)]

    def _fetch(self, m: Module, issue, begin, predict, idle) -> Signal:
        """``begin`` loads the first instruction, ``idle`` goes back to it.

        Returns ``ended``: last cycle of a token's last instruction.
        """
        m.submodules.program = self._instructions
        fetch = self._instructions.fetch
        is_last, ends, ended = Signal(), Signal(), Signal()
        fetched = fetch.instruction
        m.d.comb += [
            issue.instruction.eq(fetched),
            ended.eq(issue.ending & is_last),
            issue.load.eq(begin | (issue.ending & ~is_last)),
            fetch.load.eq(issue.load),
            fetch.restart.eq(idle | (issue.load & ends)),
            # a token that begins is a prompt's last, or generated, when its end is fetched
            ends.eq(fetched.ends_token | (fetched.ends_prompt_token & ~predict)),
        ]
        with m.If(issue.load):
            m.d.sync += is_last.eq(ends)
        return ended
