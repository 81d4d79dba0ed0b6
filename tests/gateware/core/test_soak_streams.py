"""Three streams of a core for long: texts that begin, end and are aborted while others run.

::

    pytest -m full_size -n 0 -s tests/gateware/core/test_soak_streams.py
"""

import dataclasses
import itertools
import random
import time

import pytest

from gateformer.gateware.compiler.program import Program
from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.model.contract.random_model import random_model
from gateformer.model.contract.reference import Reference
from gateformer.platforms.simulation.interleaved import (
    check_together,
    core_simulator,
)
from gateformer.platforms.simulation.several_streams import Request
from gateformer.platforms.support.progress import working

from .test_core import varied
from .test_soak import random_settings

STREAMS = 3
TOKENS, SHAPES = 200_000, 5
SHORT = 3_000
APART = 2_000
"""Tokens between two times that streams begin anew and their cycles are compared, too."""
ABORTED, IDLE = 0.01, 0.3
"""Of a stream each time that it is looked at, which is a few times per token."""
PATIENCE = 50
"""A text is to end within this many times its tokens' cycles alone."""


def drawn_program(seed: int) -> Program:
    """A small shape on any sizes."""
    rng = random.Random(seed)
    heads, rows = rng.randint(1, 3), rng.randint(1, 4)
    sizes = {
        "n_layers": rng.randint(1, 2),
        "d_model": heads * rng.randint(2, 5),
        "n_heads": heads,
        "d_ff": rng.randint(4, 24),
        "ctx_len": rng.randint(8, 24),
        "vocab_size": rng.randint(3, 40),
        "digits": rng.randint(1, 2),
        "seed": seed,
    }
    spec = ",".join(f"{name}={value}" for name, value in sizes.items())
    hw = HwConfig(rows, rows * rng.randint(1, 4), rows * rng.randint(1, 6))
    hw = dataclasses.replace(varied(hw, seed), streams=STREAMS)
    return Program(random_model(f"random:{spec}"), hw)


class Soak:
    """Streams of one core that are kept at work; every token is compared with the reference.

    With stalls none is aborted: that takes back a token that is offered in the same cycles, which
    the simulation's streams, rightly, do not allow.
    """

    def __init__(self, program: Program, stall: float, seed: int):
        self.core = core_simulator(program, stall=stall, seed=seed)
        self.program, self.stalls, self.rng = program, stall > 0, random.Random(seed)
        self.longest = max(program.cycles_by_position(sampled=True, top_k=True))
        self.running: dict[int, tuple[Request, int]] = {}
        self.tokens = self.texts = self.aborted = self.timed = 0

    def drawn(self) -> Request:
        cfg, rng = self.program.model.config, self.rng
        length = rng.randint(1, rng.choice((1, 6, cfg.ctx_len)))
        prompt = [rng.randrange(cfg.vocab_size) for _ in range(length)]
        count = cfg.ctx_len if rng.random() < 0.5 else rng.randint(1, cfg.ctx_len)
        return Request(prompt, count, random_settings(rng, cfg.vocab_size))

    def run(self, tokens: int) -> None:
        while self.tokens < tokens:
            self.apart(min(self.tokens + APART, tokens))
            if not self.stalls:
                requests = {n: self.drawn() for n in range(STREAMS) if self.rng.random() < 0.8}
                # at once, or while another's prompt has their slots
                latest = self.rng.choice((1, 4 * self.longest))
                starts = {n: self.rng.randrange(latest) for n in requests}
                compared, _ = check_together(self.core, requests, starts)
                self.tokens += compared
                self.timed += compared
                self.texts += len(requests)

    def apart(self, tokens: int) -> None:
        """Until so many are compared: each stream begins when it likes; at last all are aborted,
        or end."""
        while self.tokens < tokens:
            for stream in range(STREAMS):
                self.look_after(stream)
            self.core.simulation.step(self.rng.randrange(1, self.longest))
        while not all(map(self.core.is_taken, self.running)):
            self.core.simulation.step()
        while self.stalls and any(map(self.core.busy, self.running)):
            self.core.simulation.step(self.longest)
        for stream in list(self.running):
            self.abort(stream)

    def look_after(self, stream: int) -> None:
        if stream not in self.running:
            if self.rng.random() >= IDLE:
                self.running[stream] = self.drawn(), self.core.simulation.cycles
                self.core.begin(stream, self.running[stream][0])
        elif not self.core.busy(stream):
            self.compare(stream, whole=True)
        elif not self.stalls and self.core.is_taken(stream) and self.rng.random() < ABORTED:
            self.abort(stream)
        else:
            taken = self.core.simulation.cycles - self.running[stream][1]
            most = PATIENCE * self.program.model.config.ctx_len * self.longest
            assert taken < most, "a stream that does not end"

    def abort(self, stream: int) -> None:
        whole = not self.core.busy(stream)
        self.core.stop([stream])
        self.compare(stream, whole=whole)
        self.aborted += not whole

    def compare(self, stream: int, *, whole: bool) -> None:
        request, _ = self.running.pop(stream)
        actual = [token for token, _ in self.core.tokens(stream)]
        reference = Reference(self.program.model)
        expected = reference.generate(request.prompt, request.count, request.settings)
        if not whole:
            expected = itertools.islice(expected, len(actual))
        assert actual == list(expected), f"text {self.texts}, stream {stream}: {request}"
        self.tokens += len(actual)
        self.texts += 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "seed, tokens",
    [
        (0, SHORT),
        *(pytest.param(n, TOKENS // SHAPES, marks=pytest.mark.full_size) for n in range(SHAPES)),
    ],
)
def test_soak(seed, tokens):
    begin = time.monotonic()
    soak = Soak(drawn_program(seed), 0.2 if seed % 4 == 3 else 0.0, seed)
    with working(f"soak: streams of shape {seed}"):
        soak.run(tokens)
    assert soak.stalls or soak.aborted > 0
    print(
        f"\nshape {seed}: {soak.tokens:,} tokens of {soak.texts:,} texts, {soak.aborted:,} of them "
        f"aborted, equal to the reference; cycles of {soak.timed:,} as predicted "
        f"({time.monotonic() - begin:.0f} s)"
    )
