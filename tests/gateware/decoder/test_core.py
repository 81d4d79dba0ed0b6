"""A decoder core against the reference: every tap and token, whatever a model chooses."""

import dataclasses
import itertools
import random

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateformer.gateware.decoder.any_core import check_taps, compile_model
from gateformer.gateware.decoder.program import DecoderProgram
from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.model.contract.choices import CHOICES, Bits
from gateformer.model.contract.decoder.random_decoder import random_decoder
from gateformer.model.contract.decoder.reference import DecoderReference
from gateformer.model.contract.decoder.sampling import DecoderSettings
from tests.gateware.core.core_bench import run_core
from tests.support.user_error import message

KINDS = ("q_proj", "k_proj", "v_proj", "o_proj", "up_proj", "down_proj")
FAST, ALL = 10, 64
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
        "bits": Bits(*widths),
    }


def sampled(seed: int, model) -> DecoderSettings:
    """With a temperature; the slow ones with top-k or top-p, or both (8,000 cycles a token)."""
    cuts = seed >= FAST
    return DecoderSettings.from_user(
        temperature=0.9,
        top_k=min(seed // 2 % 3 * 2, model.config.vocab_size) if cuts else 0,
        top_p=0.8 if cuts and seed % 4 == 1 else None,
        seed=seed,
        logit_scale=model.logit_scale,
        vocab_size=model.config.vocab_size,
    )


def compared(lanes: int, shape: dict, seed: int = 0, stall: float = 0.3) -> None:
    """Prompt and text up to the end of the context, greedy or sampled, with stalls."""
    model = random_decoder(seed, **shape)
    cfg, program = model.config, compile_model(model, HwConfig(rows=1, cols=1, lanes=lanes))
    rng = np.random.default_rng(seed)
    prompt = rng.integers(0, cfg.vocab_size, rng.integers(1, cfg.ctx_len + 1)).tolist()
    count = cfg.ctx_len - len(prompt) + 1
    chosen = DecoderSettings() if seed % 2 == 0 or not stall else sampled(seed, model)
    run = run_core(program, prompt, count, chosen, stall=stall, seed=seed)
    expected = list(DecoderReference(model).generate(prompt, count, chosen))
    assert run.tokens == expected
    fed = [*prompt, *expected[:-1]]
    assert check_taps(program, run.records, fed, len(prompt)) > 0
    if not stall:
        gaps = np.diff(run.cycles).tolist()
        assert gaps == [program.cycles(p) for p in range(len(prompt), len(prompt) + len(gaps))]


def pairs(seed: int) -> set:
    """What meets in a shape."""
    return set(itertools.combinations(((name, drawn(seed)[1][name]) for name in PAIRED), 2))


def seeds() -> list[int]:
    """ALL seeds: the first FAST, then those that bring a new pair, then the next ones."""
    found, met = list(range(FAST)), set().union(*map(pairs, range(FAST)))
    for seed in range(FAST, 4 * ALL):
        if not pairs(seed) <= met:
            met |= pairs(seed)
            found.append(seed)
    others = (seed for seed in range(FAST, 4 * ALL) if seed not in found)
    return [*found, *itertools.islice(others, ALL - len(found))]


@pytest.mark.parametrize("seed", range(FAST))
def test_taps_and_tokens(seed):
    compared(*drawn(seed), seed=seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", seeds()[FAST:])
def test_taps_and_tokens_of_more_shapes(seed):
    compared(*drawn(seed), seed=seed)


@pytest.mark.slow
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(4 * ALL, 2**31))
def test_taps_and_tokens_of_any_shape(seed):
    compared(*drawn(seed), seed=seed)


@pytest.mark.parametrize("seed", range(2))
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


def test_scales_of_groups_are_refused_by_name():
    shape = {"vocab_size": 5, "d_model": 32, "n_heads": 1, "d_ff": 32, "ctx_len": 2}
    model = random_decoder(0, **shape, head_dim=32, weights="block:4:32:min")
    assert message(DecoderProgram, model, HwConfig(rows=1, cols=1, lanes=4)) == (
        "layers.0.q_proj has weights of format block:4:32:min, with scales of groups, which cannot "
        "become gateware yet; import the model with --bits 8, 6, 5, 4 or trits:N"
    )
