"""Several cores side by side: each stream's tokens, cycles and taps as if its core were alone."""

import functools
import random

import pytest

from gateformer.gateware.compiler.program import Program
from gateformer.gateware.compiler.several_cores import tokens_together, transfers
from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.model.contract.random_model import random_model
from gateformer.model.contract.sampling import SamplingSettings
from gateformer.platforms.simulation.interleaved import (
    InterleavedSimulator,
    check_together,
    core_simulator,
    sequence_of,
)
from gateformer.platforms.simulation.several_streams import Request

SPEC = "random:n_layers=1,d_model=8,n_heads=2,d_ff=8,ctx_len=6,vocab_size=16,seed=5"


@functools.cache
def program(streams: int) -> Program:
    return Program(random_model(SPEC), HwConfig(2, 4, 4, streams=streams, cores=2))


@functools.cache
def simulator(streams: int) -> InterleavedSimulator:
    return core_simulator(program(streams), taps=True)


def drawn(rng: random.Random, model) -> Request:
    cfg = model.config
    settings = SamplingSettings()
    if rng.random() < 0.5:
        settings = SamplingSettings.from_user(
            temperature=1.0,
            top_k=rng.choice((0, 3)),
            seed=rng.getrandbits(32),
            logit_scale=model.logit_scale,
            vocab_size=cfg.vocab_size,
        )
    prompt = [rng.randrange(cfg.vocab_size) for _ in range(rng.randint(1, 4))]
    return Request(prompt, rng.randint(1, cfg.ctx_len), settings)


@pytest.mark.slow
@pytest.mark.parametrize("streams", [1, 2])
def test_tokens_cycles_and_taps(streams):
    """Of all streams, of one core's alone, and of others each time."""
    found, rng = simulator(streams), random.Random(streams)
    model, total = program(streams).model, 2 * streams
    for chosen in (range(total), range(streams, total), range(0, total, streams)):
        requests = {stream: drawn(rng, model) for stream in chosen}
        tokens, integers = check_together(found, requests)
        assert tokens > 0 and integers > 0


def test_predicted_cycles_do_not_depend_on_the_other_core():
    for streams in (1, 2):
        one, rng = program(streams).one_core, random.Random(7)
        sequences = {n: sequence_of(drawn(rng, one.model), n) for n in range(2 * streams)}
        found = transfers(program(streams), sequences)
        assert list(found) == list(sequences)
        last = {n: each for n, each in sequences.items() if n >= streams}
        assert transfers(program(streams), last) == {n: found[n] for n in last}
        greedy = tokens_together(program(streams))
        assert greedy[:streams] == greedy[streams:]
