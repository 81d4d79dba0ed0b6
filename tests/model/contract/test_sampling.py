"""Choosing tokens: distribution, ties, top-k, and the settings' messages."""

import dataclasses

import numpy as np
import pytest

from gateformer.model.contract import sampling
from gateformer.model.contract.sampling import Sampler, SamplingSettings
from gateformer.model.support.errors import UserError

CHI_SQUARE_999 = {5: 20.52, 11: 31.26}
"""Quantiles of the chi-square distribution at 99.9 % by degrees of freedom."""
DRAWS = 8000


def settings(temperature=1.0, top_k=0, seed=1, logit_scale=0.01, vocab_size=12):
    return SamplingSettings.from_user(
        temperature=temperature,
        top_k=top_k,
        seed=seed,
        logit_scale=logit_scale,
        vocab_size=vocab_size,
    )


def draw_counts(logits, chosen):
    sampler = Sampler(chosen)
    return np.bincount([sampler.choose(logits) for _ in range(DRAWS)], minlength=len(logits))


def softmax(logits):
    p = np.exp(logits - np.max(logits))
    return p / p.sum()


def assert_distributed(counts, p):
    expected = DRAWS * p[p > 0]
    assert not counts[p == 0].any()
    statistic = np.sum((counts[p > 0] - expected) ** 2 / expected)
    assert statistic < CHI_SQUARE_999[len(expected) - 1]


def test_generator_is_marsaglias():
    state, states = 1, []
    for _ in range(4):
        state = sampling.xorshift32(state)
        states.append(state)
    assert states == [270369, 67634689, 2647435461, 307599695]


def test_seeds_never_give_state_0():
    assert sampling.initial_state(sampling.SEED_MASK) == sampling.initial_state(
        sampling.SEED_MASK ^ 1
    )
    assert all(0 < sampling.initial_state(seed) < 2**32 for seed in (0, 1, 2**32 - 1))


@pytest.mark.parametrize("temperature", [0.5, 1.0, 1.7])
@pytest.mark.parametrize("logit_scale", [0.0007, 0.01, 2.0])
def test_distribution_is_softmax(temperature, logit_scale):
    nats = np.random.default_rng(3).uniform(0, 3 * temperature, 12)
    logits = np.rint(nats / logit_scale).astype(np.int64)
    counts = draw_counts(logits, settings(temperature, logit_scale=logit_scale))
    assert_distributed(counts, softmax(logits * logit_scale / temperature))


def test_distribution_with_top_k():
    logits = np.array([100, -50, 0, 40, 90, 60, -200, 80, 10, 70, -10, 20])
    p = np.where(logits >= 60, np.exp(logits / 100), 0)
    p[3] = np.exp(0.4)
    counts = draw_counts(logits, settings(top_k=6))
    assert_distributed(counts, p / p.sum())


def test_same_seed_same_tokens():
    logits = np.arange(12) * 10

    def tokens(seed):
        sampler = Sampler(settings(seed=seed))
        return [sampler.choose(logits) for _ in range(20)]

    assert tokens(5) == tokens(5) != tokens(6)


@pytest.mark.parametrize("temperature, top_k", [(0, 0), (0, 3), (2.5, 1)])
def test_greedy_takes_the_lowest_of_equals(temperature, top_k):
    sampler = Sampler(settings(temperature, top_k))
    for logits, token in (([1, 7, 7, 3], 1), ([-5, -9, -5], 0), ([0], 0)):
        assert {sampler.choose(np.array(logits)) for _ in range(5)} == {token}


def test_top_k_keeps_the_lowest_of_equals():
    counts = draw_counts(np.array([0, 9, 0, 9, 0, 9, 9]), settings(top_k=3, vocab_size=7))
    assert list(np.flatnonzero(counts)) == [1, 3, 5]


def test_draws_at_the_ends():
    """The smallest random number picks the first token, the largest the last one with p > 0."""
    sampler = Sampler(settings())
    picks = []
    for target in (1, 2**32 - 1):
        sampler.state = state_before(target)
        picks.append(sampler.choose(np.array([0, 0, 0, -100000])))
    assert picks == [0, 2]


def state_before(target):
    """The state before ``target``: xorshift32 is linear over GF(2), so solve for its bits."""
    pivots = {}
    for bit in range(32):
        image, source = sampling.xorshift32(1 << bit), 1 << bit
        while image.bit_length() in pivots:
            pivot_image, pivot_source = pivots[image.bit_length()]
            image, source = image ^ pivot_image, source ^ pivot_source
        pivots[image.bit_length()] = image, source
    state = 0
    while target:
        image, source = pivots[target.bit_length()]
        target, state = target ^ image, state ^ source
    return state


@pytest.mark.parametrize("temperature", [5e-324, 1e-30, 1e-3, 1, 50, 1e30])
def test_settings_fit_their_registers(temperature):
    chosen = settings(temperature)
    assert 1 <= chosen.temperature_mult <= 255
    assert 0 <= chosen.temperature_shift <= 31
    assert not chosen.greedy


def test_temperature_0_is_greedy():
    assert settings(0).greedy
    assert settings(0, top_k=None) == SamplingSettings(seed=1)
    assert [field.name for field in dataclasses.fields(SamplingSettings)] == [
        "temperature_mult",
        "temperature_shift",
        "top_k",
        "seed",
    ]


@pytest.mark.parametrize(
    "given, message",
    [
        (
            {"temperature": -0.5},
            "temperature must be a finite number of at least 0 (0: greedy), not -0.5",
        ),
        (
            {"temperature": "nan"},
            "temperature must be a finite number of at least 0 (0: greedy), not nan",
        ),
        (
            {"temperature": "hot"},
            "temperature must be a finite number of at least 0 (0: greedy), not hot",
        ),
        (
            {"temperature": float("inf")},
            "temperature must be a finite number of at least 0 (0: greedy), not inf",
        ),
        ({"top_k": -1}, "top-k must be 0 (off) to 12 (the vocabulary), not -1"),
        ({"top_k": 13}, "top-k must be 0 (off) to 12 (the vocabulary), not 13"),
        ({"top_k": 1.5}, "top-k must be 0 (off) to 12 (the vocabulary), not 1.5"),
        ({"seed": -1}, "seed must be an integer from 0 to 4294967295, not -1"),
        ({"seed": 2**32}, "seed must be an integer from 0 to 4294967295, not 4294967296"),
        ({"seed": "7"}, "seed must be an integer from 0 to 4294967295, not '7'"),
    ],
)
def test_invalid_settings(given, message):
    with pytest.raises(UserError) as error:
        settings(**given)
    assert str(error.value) == message
