"""Slots: whose token begins where, and when its queries may be written."""

from __future__ import annotations

import collections
import dataclasses
import random

import pytest
from amaranth.sim import Simulator

from gateformer.gateware.core.slots import Slots
from gateformer.gateware.plan.hw_config import HwConfig

from .interleaved_bench import program_of

LAYERS, WORDS, CYCLES = 2, 64, 3000
LEAST = 6
"""Cycles from a token's begin, or a query of it, to its next query, or its end, at least."""


@dataclasses.dataclass
class Token:
    """What runs in a slot; ``until``: when its next query may be, or its end."""

    stream: int
    word: int
    before: Token | None
    until: int
    queries: int = 0
    ended: bool = False

    @property
    def may_query(self) -> bool:
        before = self.before
        return before is None or before.ended or before.queries > self.queries


@dataclasses.dataclass
class Loop:
    """A stream: idle until ``wants``, then the tokens of a prompt and of what follows it."""

    wants: int
    left: int = 0
    prompt: int = 0
    first: bool = False
    last: Token | None = None

    def begin(self, rng: random.Random) -> None:
        self.prompt, self.left, self.first = rng.randint(1, 9), rng.randint(0, 2), True

    @property
    def idle(self) -> bool:
        return not self.prompt + self.left

    @property
    def borrows(self) -> bool:
        return self.prompt > 1 and not self.first


class Bench:
    """Loops and programs around the slots, of any pace; every cycle is checked."""

    def __init__(self, streams: int, seed: int):
        spec = f"n_layers={LAYERS},d_model=4,n_heads=1,d_ff=4,ctx_len=9,vocab_size={WORDS}"
        program = program_of(spec, HwConfig(2, 2, 2, streams=streams), 0)
        self.slots, self.rng, self.cycle, self.word = Slots(program), random.Random(seed), 0, 0
        self.loops = [Loop(self.rng.randrange(60)) for _ in range(streams)]
        self.running: list[Token | None] = [None] * streams
        self.allowed = [0] * streams  # cycles since a token's query is in order
        self.idle = [True] * streams  # in the cycle before
        self.seen = collections.Counter()

    async def run(self, ctx) -> None:
        for self.cycle in range(CYCLES):
            self.follow(ctx)
            begun = self.check(ctx)
            self.idle = [loop.idle for loop in self.loops]
            await ctx.tick()
            for slot, token in begun.items():
                found = ctx.get(self.slots.slots[slot])
                assert (found.stream, found.token.token_word) == (token.stream, token.word)

    def follow(self, ctx) -> None:
        """The inputs of a cycle: programs that go on, loops that want."""
        passed = 0
        may_pass = ctx.get(self.slots.may_pass)
        for n, token in enumerate(self.running):
            if token is None:
                continue
            self.allowed[n] = self.allowed[n] + 1 if token.may_query else 0
            if self.cycle < token.until:
                continue
            if token.queries == LAYERS:
                token.ended, self.running[n] = True, None
            elif may_pass >> n & 1:
                assert token.may_query
                passed |= 1 << n
                token.until = self.cycle + self.rng.randint(LEAST, 40)
            else:
                assert self.allowed[n] < LEAST, "it waits for nobody"
                self.seen["waits"] += 1
        for n, loop in enumerate(self.loops):
            self.move(n, loop)
            token = self.slots.tokens[n]
            ctx.set(token.token_word, (self.word + n) % WORDS)
        self.set_flags(ctx, passed)

    def move(self, n: int, loop: Loop) -> None:
        if self.rng.random() < 0.004 and not loop.idle:
            loop.prompt = loop.left = 0
            loop.wants = self.cycle + self.rng.choice((4, 50))
            self.seen["aborted"] += 1
        elif loop.idle and self.cycle == loop.wants - 2 and self.rng.random() < 0.8:
            loop.begin(self.rng)
        elif loop.idle and self.cycle >= loop.wants - 2:
            loop.wants = self.cycle + self.rng.randint(3, 300)

    def wanting(self, loop: Loop) -> bool:
        waits = loop.prompt == 0 and not loop.last.ended if loop.last else False
        return not loop.idle and self.cycle >= loop.wants and not waits

    def set_flags(self, ctx, passed: int) -> None:
        def bits(values) -> int:
            return sum(1 << n for n, value in enumerate(values) if value)

        wants = [self.wanting(loop) for loop in self.loops]
        ctx.set(self.slots.wants, bits(wants))
        pairs = list(zip(wants, self.loops, strict=True))
        ctx.set(self.slots.first, bits(loop.first for loop in self.loops))
        ctx.set(self.slots.borrows, bits(want and loop.borrows for want, loop in pairs))
        ctx.set(self.slots.idle, bits(loop.idle for loop in self.loops))
        ctx.set(self.slots.running, bits(self.running))
        ctx.set(self.slots.passed, passed)
        for n, token in enumerate(self.running):
            if token:
                token.queries += passed >> n & 1

    def check(self, ctx) -> dict[int, Token]:
        """What begins; by slot."""
        begin, granted = ctx.get(self.slots.begin), ctx.get(self.slots.granted)
        assert begin.bit_count() == granted.bit_count()
        begun, borrower = {}, None
        for n, loop in enumerate(self.loops):
            theirs = [t for t in self.running if t and t.stream == n]
            is_free = self.wanting(loop) and self.running[n] is None
            if not granted >> n & 1:
                assert not is_free or loop.first, "its own slot is free"
                continue
            assert self.wanting(loop)
            assert not (loop.first and theirs), "an older text still writes"
            if is_free:
                begun[n] = self.start(n, loop)
            else:
                assert loop.borrows
                assert borrower is None
                borrower = n
        if borrower is not None:
            (slot,) = [n for n in range(len(self.loops)) if begin >> n & 1 and n not in begun]
            assert self.idle[slot]
            begun[slot] = self.start(borrower, self.loops[borrower])
            self.seen["lent"] += 1
        assert set(begun) == {n for n in range(len(self.loops)) if begin >> n & 1}
        for slot, token in begun.items():
            assert self.running[slot] is None
            self.running[slot], self.allowed[slot] = token, 0
        if begun:
            self.word += 1
        return begun

    def start(self, n: int, loop: Loop) -> Token:
        self.seen["begun"] += 1
        pace = self.rng.choice((LEAST, 60))
        before = None if loop.first else loop.last
        word = (self.word + n) % WORDS
        loop.last = Token(n, word, before, self.cycle + self.rng.randint(LEAST, pace))
        loop.first, loop.wants = False, self.cycle + 3
        if loop.prompt:
            loop.prompt -= 1
        else:
            loop.left -= 1
        if loop.idle:
            loop.wants = self.cycle + self.rng.randint(3, 300)
        return loop.last


@pytest.mark.parametrize("streams", [2, 3, pytest.param(5, marks=pytest.mark.slow)])
def test_slots(streams):
    bench = Bench(streams, streams)
    simulator = Simulator(bench.slots)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench.run)
    simulator.run()
    assert min(bench.seen[name] for name in ("begun", "lent", "waits", "aborted")) > 10, bench.seen
