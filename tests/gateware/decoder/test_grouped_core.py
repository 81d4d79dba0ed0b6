"""A core whose weights have scales of groups, against the reference: every tap and token."""

from __future__ import annotations

import random

import pytest

from gateformer.gateware.host.any_core import compile_model
from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.model.contract.choices import CHOICES, Bits
from gateformer.model.contract.decoder.random_decoder import random_decoder

from .compared_core import FAST, compared

SHAPE = {
    **{"vocab_size": 5, "d_model": 32, "n_heads": 4, "n_kv_heads": 2, "head_dim": 8, "d_ff": 32},
    **{"ctx_len": 3, "gated": True, "activation": "silu", "norm": "rms", "positions": "rotary"},
}
GROUP32, LOWERED, WIDE = "block:4:32", "block:4:32:min", "block:8:16:min"
CASES = {
    "groups of several words": (8, {"weights": LOWERED, "head": "int8"}),
    "several groups in a word": (
        64,
        {"d_model": 64, "n_heads": 1, "n_kv_heads": 1, "head_dim": 64, "weights": LOWERED},
    ),
    "words and groups divide each other in neither way": (
        12,
        {
            **{"n_heads": 4, "head_dim": 12, "n_kv_heads": 4, "weights": LOWERED},
            "formats": {"o_proj": "block:6:16"},
        },
    ),
    "heads wider than an odd number of lanes": (
        5,
        {"n_heads": 1, "n_kv_heads": 1, "head_dim": 32, "weights": "block:5:16:min"},
    ),
    "one lane": (1, {"d_model": 16, "d_ff": 16, "n_heads": 2, "weights": "block:4:16:min"}),
    "segments that are no power of two": (
        24,
        {"n_heads": 16, "n_kv_heads": 4, "head_dim": 6, "weights": GROUP32},
    ),
    "no minimums": (16, {"weights": GROUP32, "head": "block:8:32"}),
    "wide unsigned codes, embedding with minimums": (
        16,
        {"weights": "block:8:32:min", "head": WIDE, "positions": "learned", "norm": "layer"},
    ),
    "an own head, trits, rows of their own beside": (
        16,
        {
            **{"weights": "trits:3", "head": "block:6:16", "tied_head": False, "gated": False},
            "formats": {"down_proj": LOWERED, "k_proj": "int6", "lm_head": "int8"},
            "bias": ("q_proj", "down_proj", "up_proj"),
        },
    ),
    "gate and up of two formats": (
        32,
        {"weights": "int8", "formats": {"up_proj": LOWERED, "gate_proj": "block:6:16"}},
    ),
}
SETTINGS = ("int8", "int4", "trits:2", "trits:5")


def drawn(seed: int) -> tuple[int, dict]:
    """(lanes, arguments of random_decoder): any formats side by side, groups in some."""
    rng = random.Random(seed)
    head_dim = 2 * rng.randint(1, 6)
    n_heads = 16 if 16 % head_dim else 16 * rng.randint(1, 2) // head_dim
    gated = rng.random() < 0.7

    def form() -> str:
        if rng.random() < 0.25:
            return rng.choice(SETTINGS)
        return f"block:{rng.randint(4, 8)}:16" + rng.choice(["", ":min", ":min"])

    kinds = ["q_proj", "k_proj", "v_proj", "o_proj", "up_proj", "down_proj"]
    kinds += ["gate_proj"] if gated else []
    return rng.choice((1, 3, 4, 6, 8, 12, 16, 21, 32)), {
        "vocab_size": rng.randint(2, 7),
        "d_model": 16 * rng.randint(1, 2),
        "n_heads": n_heads,
        "n_kv_heads": rng.choice([n for n in range(1, n_heads + 1) if n_heads % n == 0]),
        "head_dim": head_dim,
        "d_ff": 16 * rng.randint(1, 3),
        "ctx_len": rng.randint(2, 3),
        "norm": rng.choice(CHOICES["norm"]),
        "norm_bias": rng.random() < 0.5,
        "positions": rng.choice(CHOICES["positions"]),
        "activation": rng.choice(CHOICES["activation"]),
        "gated": gated,
        "bias": tuple(kind for kind in kinds if rng.random() < 0.3),
        "tied_head": rng.random() < 0.5,
        "weights": form(),
        "head": form(),
        "formats": {kind: form() for kind in kinds if rng.random() < 0.5},
        "bits": Bits(rng.choice((20, 24, 28)), *(rng.randint(8, 16) for _ in range(7))),
    }


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow if n >= FAST else [])
        for n, name in enumerate(CASES)
    ],
)
@pytest.mark.slow_but("groups of several words")
def test_taps_and_tokens(name):
    lanes, shape = CASES[name]
    compared(lanes, {**SHAPE, **shape})


@pytest.mark.parametrize(
    "name", [next(iter(CASES)), "an own head, trits, rows of their own beside"]
)
@pytest.mark.slow
def test_cycles_are_those_that_the_program_predicts(name):
    lanes, shape = CASES[name]
    compared(lanes, {**SHAPE, **shape}, stall=0.0)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(FAST, FAST + 12))
def test_taps_and_tokens_of_more_shapes(seed):
    compared(*drawn(seed), seed=2 * seed)


def compiled(lanes: int, **shape):
    return compile_model(random_decoder(0, **{**SHAPE, **shape}), HwConfig(1, 1, lanes=lanes))


@pytest.mark.parametrize(
    ("lanes", "weights", "stored"),
    [
        (32, "block:4:32:min", 4.5),
        (8, "block:4:32:min", 4.5),
        (16, "block:5:16", 5.5),
        (32, "block:4:16", 4.5),
        (32, "int8", 8),
    ],
)
def test_codes_and_scales_take_the_bits_of_their_format(lanes, weights, stored):
    images = compiled(lanes, weights=weights, head=weights).images
    assert images.weight_bits == stored * images.weights


def test_codes_of_several_widths_lie_in_memories_of_their_own():
    images = compiled(16, weights=LOWERED, head="int8").images
    model = random_decoder(0, **SHAPE, weights=LOWERED, head="int8")
    matrices = model.matrices.values()
    expected = sum(m.codes.size * m.format.bits_per_weight for m in matrices)
    assert images.weight_bits == expected


def test_sums_of_activations_take_a_word_each_where_there_are_minimums():
    """Once for a vector, however many rows it meets."""
    plain = compiled(8, weights=GROUP32, head="block:8:32").instructions
    lowered = compiled(8, weights=LOWERED, head="block:8:32").instructions
    added = [item for item in lowered if item.name not in {other.name for other in plain}]
    assert [item.beats(0) for item in added] == [SHAPE["d_model"] // 8] * 4
