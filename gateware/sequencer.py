"""Sequencer: runs the program once per token, prompt first, then what the sampler chose."""

from __future__ import annotations

from amaranth.hdl import Array, Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from .constant_product import times
from .instruction import Instruction, encode, instruction_layout
from .issue import BeatSignature, IssueUnit
from .program import Program

COUNT_BITS = 16
"""Width of the number of tokens to generate."""

TABLE_PART = 32
"""Instructions of a part of the program memory: a small table, or synthesis, which shares logic
between its bits, makes paths of it that are too deep."""


def program_parts(instructions: list[Instruction]) -> list[list[Instruction]]:
    """The instructions of each part of the program memory."""
    starts = range(0, len(instructions), TABLE_PART)
    return [instructions[start : start + TABLE_PART] for start in starts]


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
    program : Program

    Members
    -------
    start : In(1), ignored while busy
    count : In(16), sampled at ``start``
    prompt : In(token stream), output : Out(token stream)
    chosen : In, the sampler's token
    beat : Out(BeatSignature)
    busy : Out(1), context_full : Out(1) until the next start
    """

    def __init__(self, program: Program):
        self._program = program
        vocab_size = program.model.config.vocab_size
        super().__init__(
            {
                "start": In(1),
                "count": In(COUNT_BITS),
                "prompt": In(token_stream(vocab_size)),
                "output": Out(token_stream(vocab_size)),
                "chosen": In(wiring.Signature({"valid": Out(1), "token": Out(range(vocab_size))})),
                "beat": Out(BeatSignature(program)),
                "busy": Out(1),
                "context_full": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        cfg = self._program.model.config
        m.submodules.issue = issue = IssueUnit(self._program)
        wiring.connect(m, wiring.flipped(self.beat), issue.beat)

        position = Signal(range(cfg.ctx_len + 1))
        token = Signal(range(cfg.vocab_size), reset_less=True)
        token_word = Signal.like(issue.token_word, reset_less=True)
        remaining = Signal(COUNT_BITS)
        predict = Signal()
        # registers: `at_end` follows the position at once, `is_final` a cycle later, which is
        # long before the token is there
        at_end, is_final = Signal(), Signal()
        # a register for each state in which a token's program may begin, since the instruction's
        # fields and counters hang on it: a prompt's, or (`resuming`) after one that was generated
        beginning, emitting, resuming = Signal(), Signal(), Signal()
        # a prompt's token is taken: in PROMPT unless `at_end`, and in DISCARD
        taking = Signal()
        ends = position == cfg.ctx_len - 1
        m.d.sync += is_final.eq(remaining == 1)
        m.d.comb += [
            issue.position.eq(position),
            issue.token_word.eq(token_word),
            self.prompt.ready.eq(taking),
            self.output.valid.eq(emitting),
            self.output.payload.token.eq(token),
            self.output.payload.last.eq(~resuming),
        ]
        next_position = [position.eq(position + 1), at_end.eq(ends)]

        def take(value):
            return [
                token.eq(value),
                token_word.eq(times(value, self._program.layout.embed_words)),
            ]

        begin = beginning | (resuming & self.output.ready)
        idle = Signal()
        ended = self._fetch(m, issue, begin, predict, idle)

        m.d.sync += beginning.eq(0)
        with m.FSM() as fsm:
            m.d.comb += [idle.eq(fsm.ongoing("IDLE")), self.busy.eq(~idle)]
            with m.State("IDLE"), m.If(self.start):
                m.d.sync += [
                    position.eq(0),
                    at_end.eq(0),
                    taking.eq(1),
                    remaining.eq(self.count),
                    self.context_full.eq(0),
                ]
                m.next = "PROMPT"
            with m.State("PROMPT"):
                with m.If(at_end):
                    m.d.sync += [self.context_full.eq(1), taking.eq(1)]
                    m.next = "DISCARD"
                with m.Else():
                    m.d.sync += [
                        *take(self.prompt.payload.token),
                        predict.eq(self.prompt.payload.last),
                    ]
                    with m.If(self.prompt.valid):
                        m.d.sync += [beginning.eq(1), taking.eq(0)]
                        m.next = "BEGIN"
            with m.State("BEGIN"):
                m.next = "RUN"
            with m.State("DISCARD"), m.If(self.prompt.valid & self.prompt.payload.last):
                m.d.sync += taking.eq(0)
                m.next = "IDLE"
            with m.State("RUN"), m.If(ended):
                with m.If(predict):
                    m.next = "CHOOSE"
                with m.Else():
                    m.d.sync += [*next_position, taking.eq(~ends)]
                    m.next = "PROMPT"
            with m.State("CHOOSE"), m.If(self.chosen.valid):
                m.d.sync += [*take(self.chosen.token), *next_position]
                m.d.sync += [emitting.eq(1), resuming.eq(~(is_final | ends))]
                m.next = "EMIT"
            with m.State("EMIT"), m.If(self.output.ready):
                m.d.sync += [remaining.eq(remaining - 1), emitting.eq(0), resuming.eq(0)]
                with m.If(~resuming):
                    m.d.sync += self.context_full.eq(~is_final)
                    m.next = "IDLE"
                with m.Else():
                    m.next = "RUN"
        return m

    def _fetch(self, m: Module, issue: IssueUnit, begin, predict, idle) -> Signal:
        """Program memory, two instructions ahead; ``begin`` loads the first one.

        ``idle`` goes back to it; otherwise instructions are loaded at least 2 cycles apart.
        Returns ``ended``: last cycle of a token's last instruction.
        """
        instructions = self._program.instructions
        layout = instruction_layout(instructions)
        parts = program_parts(instructions)
        first = encode(instructions[0], layout)
        fetched = Signal(layout, init=first, reset_less=True)
        # the address after the next, too: synthesis would make the table from the adder's bits
        address = Signal(range(len(instructions)), init=1, reset_less=True)
        following = Signal.like(address, init=2)
        words = []
        for number, part in enumerate(parts):
            m.submodules[f"program_{number}"] = memory = Memory(
                shape=layout, depth=len(part), init=[encode(item, layout) for item in part]
            )
            port = memory.read_port()
            m.d.comb += port.addr.eq(address[: len(port.addr)])
            words.append(port.data.as_value())
        following_word = Array(words)[address[ceil_log2(TABLE_PART) :]]
        is_last, ends, ended = Signal(), Signal(), Signal()
        m.d.comb += [
            issue.instruction.eq(fetched),
            ended.eq(issue.ending & is_last),
            issue.load.eq(begin | (issue.ending & ~is_last)),
            # a token that begins is a prompt's last, or generated, when its end is fetched
            ends.eq(fetched.ends_token | (fetched.ends_prompt_token & ~predict)),
        ]
        with m.If(issue.load):
            m.d.sync += is_last.eq(ends)
        with m.If(idle | (issue.load & ends)):
            m.d.sync += [fetched.eq(layout.const(first)), address.eq(1), following.eq(2)]
        with m.Elif(issue.load):
            m.d.sync += [fetched.as_value().eq(following_word), address.eq(following)]
            m.d.sync += following.eq(following + 1)
        return ended
