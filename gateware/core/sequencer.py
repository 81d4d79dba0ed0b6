"""Sequencer: runs the program once per token, prompt first, then what the sampler chose."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..parts.passed_port import pass_port
from .instruction_table import InstructionTable
from .token_loop import TokenLoop


class Fetch(wiring.Component):
    """Fetches a program's instructions and hands them to what issues their beats.

    Parameters
    ----------
    issue : IssueUnit or DecoderIssueUnit
        What runs an instruction; it becomes a part of this one.
    instructions : InstructionTable or another of its ``fetch``
        Where instructions come from; likewise.

    Members
    -------
    begin : In(1), loads the first instruction; not while one runs
    idle : In(1), goes back to it
    predict : In(1), from ``begin`` on: the program goes on to its end, not to a prompt token's
    ended : Out(1), last cycle of the program's last instruction
    beat : Out, that of ``issue``
    """

    def __init__(self, issue, instructions):
        self._issue, self._instructions = issue, instructions
        super().__init__(
            {
                "begin": In(1),
                "idle": In(1),
                "predict": In(1),
                "ended": Out(1),
                "beat": Out(issue.beat.signature),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.issue = issue = self._issue
        m.submodules.program = self._instructions
        wiring.connect(m, wiring.flipped(self.beat), issue.beat)
        fetch = self._instructions.fetch
        is_last, ends = Signal(), Signal()
        fetched = fetch.instruction
        m.d.comb += [
            issue.instruction.eq(fetched),
            self.ended.eq(issue.ending & is_last),
            issue.load.eq(self.begin | (issue.ending & ~is_last)),
            fetch.load.eq(issue.load),
            fetch.restart.eq(self.idle | (issue.load & ends)),
            # a token that begins is a prompt's last, or generated, when its end is fetched
            ends.eq(fetched.ends_token | (fetched.ends_prompt_token & ~self.predict)),
        ]
        with m.If(issue.load):
            m.d.sync += is_last.eq(ends)
        return m


class Sequencer(wiring.Component):
    """Token loop and instruction fetch: what a :class:`.token_loop.TokenLoop` wants begins at once.

    Parameters
    ----------
    program : Program or DecoderProgram
        Its instructions, the model's config, and ``token_words``.
    issue : IssueUnit or DecoderIssueUnit
        What runs an instruction; it becomes a part of the sequencer.

    Members
    -------
    start, count, prompt, output, chosen, busy, context_full
        Those of TokenLoop.
    beat : Out, that of ``issue``
    token, position : Out, of the token that the program runs for
    """

    SHARED = ("start", "count", "prompt", "output", "chosen", "busy", "context_full")
    SHARED += ("token", "position")

    def __init__(self, program, issue):
        self._issue = issue
        config = program.model.config
        self._loop = TokenLoop(config.vocab_size, config.ctx_len, program.token_words)
        self._fetch = Fetch(issue, InstructionTable(program.instructions))
        shared = {name: self._loop.signature.members[name] for name in self.SHARED}
        super().__init__({**shared, "beat": Out(issue.beat.signature)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.loop = loop = self._loop
        m.submodules.fetch = fetch = self._fetch
        for name in self.SHARED:
            pass_port(m, getattr(self, name), loop, name)
        wiring.connect(m, fetch.beat, wiring.flipped(self.beat))
        m.d.comb += [
            self._issue.position.eq(loop.position),
            self._issue.token_word.eq(loop.token_word),
            loop.granted.eq(loop.wants),
            loop.ended.eq(fetch.ended),
            fetch.begin.eq(loop.wants),
            fetch.idle.eq(~loop.busy),
            fetch.predict.eq(loop.predict),
        ]
        return m
