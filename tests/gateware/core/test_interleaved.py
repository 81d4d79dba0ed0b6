"""Several streams of one core: each gets what it would get alone, exactly when it is predicted."""

from __future__ import annotations

import dataclasses
import itertools
import random

import pytest

from gateformer.gateware.compiler.turns import Turns
from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.model.contract.sampling import SamplingSettings

from .interleaved_bench import Request, check_run, drawn_request, program_of, run_streams
from .test_core import SHAPES, varied

COMBINATIONS, SLOW, FAST = 48, 16, (0, 20, 27)
"""Of shape, number of streams and requests; those but FAST are slow, those from SLOW on not run but
with all."""


def marks_of(number: int, fast: tuple[int, ...]) -> list:
    if number in fast:
        return []
    return [pytest.mark.slow, *([pytest.mark.full_size] if number >= SLOW else [])]


def cases(fast: tuple[int, ...]) -> list:
    return [pytest.param(n, marks=marks_of(n, fast)) for n in range(COMBINATIONS)]


def setting(number: int):
    """A program of 2 to 4 streams, with every shape in turn, and random numbers."""
    spec, hw = SHAPES[number % len(SHAPES)]
    streams = 2 + number % 3
    hw = dataclasses.replace(varied(hw, number), streams=streams)
    return program_of(spec, hw, number), random.Random(number)


def starts(rng: random.Random, program) -> list[int]:
    """Cycles at which the streams start: so that their tokens are at different positions."""
    longest = program.cycles(0)
    return [rng.choice((0, 1, rng.randrange(3 * longest))) for _ in range(program.streams)]


@pytest.mark.parametrize("number", cases(FAST))
def test_tokens_taps_and_cycles(number):
    """Without stalls: every cycle is that of the prediction, too."""
    program, rng = setting(number)
    requests = [drawn_request(rng, program.model, start=start) for start in starts(rng, program)]
    run = run_streams(program, requests)
    assert check_run(program, requests, run) > 0
    predicted = Turns(program).run({n: each.sequence for n, each in enumerate(requests)})
    assert run.cycles == list(predicted.values())


@pytest.mark.parametrize("number", cases((20,)))
def test_streams_that_stall_and_are_aborted(number):
    program, rng = setting(number)
    aborted = rng.randrange(program.streams)
    requests = [
        drawn_request(rng, program.model, start=start, abort=stream == aborted)
        for stream, start in enumerate(starts(rng, program))
    ]
    run = run_streams(program, requests, stall=0.3, seed=number)
    assert check_run(program, requests, run) > 0


def test_a_stream_alone_takes_the_cycles_of_the_program():
    spec, hw = SHAPES[24]
    program = program_of(spec, dataclasses.replace(hw, streams=2), 24)
    rng = random.Random(1)
    request = dataclasses.replace(drawn_request(rng, program.model), start=0)
    cycles = Turns(program).run({1: request.sequence})[1]
    first, options = len(request.prompt), {"sampled": request.sequence.sampled}
    options["top_k"] = request.sequence.top_k
    predicted = [program.cycles(first + n, **options) for n in range(len(cycles) - 1)]
    assert [b - a for a, b in itertools.pairwise(cycles)] == predicted


def lent(run) -> int:
    """Tokens that ran in another stream's slot."""
    turns = [turn for part in run.parts for turn in part.issued]
    return sum(place == 0 and stream != slot for stream, slot, place, _ in turns)


def short_program(streams: int, layers: int):
    spec = f"n_layers={layers},d_model=4,n_heads=2,d_ff=6,ctx_len=9,vocab_size=5"
    return program_of(spec, HwConfig(2, 2, 2, streams=streams), streams)


@pytest.mark.parametrize("streams", [2, pytest.param(4, marks=pytest.mark.slow)])
def test_a_prompt_s_tokens_run_in_idle_streams_slots(streams):
    """Until those begin, and again when they have ended."""
    program, rng = short_program(streams, 2), random.Random(streams)
    cfg, longest = program.model.config, program.cycles(0)
    prompts = [[rng.randrange(cfg.vocab_size) for _ in range(n)] for n in (cfg.ctx_len, 2)]
    requests = [
        Request(0, prompts[0], 1, SamplingSettings()),
        Request(longest + 5, prompts[1], 1, SamplingSettings()),
    ]
    run = run_streams(program, requests)
    assert check_run(program, requests, run) > 0
    predicted = Turns(program).run({n: each.sequence for n, each in enumerate(requests)})
    assert run.cycles == list(predicted.values())
    assert lent(run) >= 2


@pytest.mark.parametrize("abort, layers", [(40, 1), pytest.param(300, 2, marks=pytest.mark.slow)])
def test_what_an_aborted_prompt_has_begun_elsewhere_is_not_seen(abort, layers):
    """Neither by its stream's next text, whose keys and values it would write over, nor by who has
    the slot; a third stream goes on, so that nothing is reset."""
    program, rng = short_program(3, layers), random.Random(abort)
    cfg, longest = program.model.config, program.cycles(0)
    prompts = [[rng.randrange(cfg.vocab_size) for _ in range(n)] for n in (5, 2, 1)]
    requests = [
        Request(30, prompts[0], 1, SamplingSettings(), abort),
        Request(3 * longest, prompts[1], 1, SamplingSettings()),
        Request(0, prompts[2], 5, SamplingSettings()),
    ]
    run = run_streams(program, requests, seed=abort)
    assert check_run(program, requests, run) > 0
    assert lent(run) > 2
