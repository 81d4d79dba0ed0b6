"""A decoder core against the reference: every tap and token, whatever a model chooses."""

import dataclasses
import itertools
import random

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateformer.gateware.decoder.program import DecoderProgram
from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.model.contract.choices import CHOICES, Bits
from gateformer.model.contract.decoder.random_decoder import random_decoder
from tests.support.user_error import message

from .compared_core import FAST, compared

KINDS = ("q_proj", "k_proj", "v_proj", "o_proj", "up_proj", "down_proj")
ALL = 64
PAIRED = ("norm", "norm_bias", "positions", "activation", "gated", "tied_head", "weights")
"""Choices each value of which meets each value of the others."""


def drawn(seed: int) -> tuple[int, dict]:
    """(lanes, arguments of random_decoder), every choice independent of the others."""
    rng = random.Random(seed)
    share, groups, gated = rng.randint(1, 3), rng.randint(1, 2), rng.random() < 0.5
    kinds = (*KINDS, "gate_proj") if gated else KINDS
    norm = rng.choice(CHOICES["norm"])
    widths = [rng.choice((16, 21, 24, 28)), *(rng.randint(8, 16) for _ in range(7))]
    return rng.choice((1, 2, 3, 5, 8, 13)), {
        "vocab_size": rng.randint(2, 9),
        "d_model": rng.randint(1, 14),
        "n_heads": share * groups,
        "n_kv_heads": groups,
        "head_dim": 2 * rng.randint(1, 4),
        "n_layers": 1 + (rng.random() < 0.2),
        "d_ff": rng.randint(1, 14),
        "ctx_len": rng.randint(1, 5),
        "norm": norm,
        "norm_bias": rng.random() < 0.5,
        "positions": rng.choice(CHOICES["positions"]),
        "activation": rng.choice(CHOICES["activation"]),
        "gated": gated,
        "bias": tuple(kind for kind in kinds if rng.random() < 0.5),
        "tied_head": rng.random() < 0.5,
        "weights": rng.choice(("int8", "int5", "int4", "trits:1", "trits:5")),
        "head": rng.choice(("int8", "int4", "trits:4")),
        "bits": Bits(*widths, logit=rng.choice((16, 32))),
    }


def pairs(seed: int) -> set:
    """What meets in a shape."""
    return set(itertools.combinations(((name, drawn(seed)[1][name]) for name in PAIRED), 2))


def pairing() -> list[int]:
    """Seeds: the first FAST, then those that bring a new pair."""
    found, met = list(range(FAST)), set().union(*map(pairs, range(FAST)))
    for seed in range(FAST, 4 * ALL):
        if not pairs(seed) <= met:
            met |= pairs(seed)
            found.append(seed)
    return found


def seeds() -> list[int]:
    """ALL seeds: those of :func:`pairing`, then the next ones."""
    found = pairing()
    others = (seed for seed in range(FAST, 4 * ALL) if seed not in found)
    return [*found, *itertools.islice(others, ALL - len(found))]


def slow_seeds() -> list:
    """Every other one that brings a new pair; with ``full_size`` all."""
    first = pairing()[FAST::2]
    others = [seed for seed in seeds()[FAST:] if seed not in first]
    return [*first, *(pytest.param(seed, marks=pytest.mark.full_size) for seed in others)]


@pytest.mark.parametrize("seed", range(FAST))
@pytest.mark.slow_but("[1-4]")
def test_taps_and_tokens(seed):
    compared(*drawn(seed), seed=seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", slow_seeds())
def test_taps_and_tokens_of_more_shapes(seed):
    compared(*drawn(seed), seed=seed)


@pytest.mark.slow
@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(4 * ALL, 2**31))
def test_taps_and_tokens_of_any_shape(seed):
    compared(*drawn(seed), seed=seed)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.slow_but("1")
def test_cycles_are_those_that_the_program_predicts(seed):
    lanes, shape = drawn(seed)
    compared(lanes, {**shape, "ctx_len": 4}, seed=seed, stall=0.0)


def test_the_shapes_pair_all_choices():
    shapes = seeds()
    assert len(shapes) == len(set(shapes)) == ALL
    met = set().union(*map(pairs, shapes))
    for a, b in itertools.combinations(PAIRED, 2):
        values = [{drawn(seed)[1][name] for seed in range(500)} for name in (a, b)]
        every = {((a, x), (b, y)) for x, y in itertools.product(*values)}
        assert every <= met, every - met


def test_an_embedding_beyond_the_residual_is_refused():
    """The contract limits the sum of token's and position's alone."""
    shape = {"vocab_size": 5, "d_model": 4, "n_heads": 1, "d_ff": 4, "ctx_len": 2}
    model = random_decoder(0, **shape, bits=Bits(16))
    table = dataclasses.replace(model, position_mult=3, position_shift=1)
    reached = int(np.rint(np.abs(model.position_embedding).max() * 1.5 + 1e-9))
    assert message(DecoderProgram, table, HwConfig(rows=1, cols=1, lanes=4)) == (
        f"position_embedding reaches {reached}, which a residual of 16 bits does not hold; import "
        "the model again"
    )
