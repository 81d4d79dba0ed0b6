"""Random models are alive, deterministic, and say what is wrong with their settings."""

import itertools

import numpy as np
import pytest

from gateformer.model.contract import arith
from gateformer.model.contract.random_model import random_model
from gateformer.model.contract.reference import Reference
from gateformer.model.contract.sampling import SamplingSettings
from gateformer.model.contract.windows import window_logits
from gateformer.model.support.errors import UserError

SHAPES = [
    "seed=0",
    "n_layers=3,d_model=96,n_heads=3,d_ff=320,ctx_len=48,vocab_size=77,seed=5",
    "n_layers=1,d_model=32,n_heads=4,d_ff=48,ctx_len=40,seed=2,digits=2",
    "d_model=48,n_heads=1,ctx_len=32,seed=7,digits.up_proj=3,digits.layers.1.o_proj=5",
]
EDGES = [
    "d_model=1,n_heads=1,d_ff=1,ctx_len=1,vocab_size=1,n_layers=1",
    "d_model=1,ctx_len=9,vocab_size=2,digits=5",
    "d_model=4,n_heads=4,d_ff=3,vocab_size=3",
    "d_model=7,n_heads=7,d_ff=1,ctx_len=3",
    "d_model=3,d_ff=1,ctx_len=1,vocab_size=200",
]


def run(model):
    """Every tap for windows of random tokens."""
    cfg = model.config
    taps = {}
    tokens = np.random.default_rng(99).integers(cfg.vocab_size, size=(16, cfg.ctx_len))
    window_logits(model, tokens, taps.__setitem__)
    return taps


def message(spec):
    with pytest.raises(UserError) as error:
        random_model(spec)
    return str(error.value)


@pytest.fixture(scope="module", params=SHAPES)
def model(request):
    return random_model(f"random:{request.param}")


@pytest.fixture(scope="module")
def taps(model):
    return run(model)


def test_activations_fill_their_range(taps):
    for name, value in taps.items():
        size = np.abs(value)
        saturated = np.mean(size == arith.ACT_MAX)
        if name.endswith(("norm", ".q", ".k", ".v")):
            assert 40 < np.sqrt(np.mean(value**2)) < 80, name
            assert 0.003 < saturated < 0.1, name
        elif name.endswith("ffn_hidden"):
            assert 0.003 < saturated < 0.1, name
            assert 0.3 < np.mean(value == 0) < 0.7, name
        elif name.endswith("attn"):
            assert 10 < np.sqrt(np.mean(value**2)) < 80, name
        elif name.endswith(("residual", "embed")):
            assert 200 < np.sqrt(np.mean(value**2.0)) < 5000, name
            assert np.mean(size == arith.RESIDUAL_MAX) == 0, name


def test_updates_change_the_residual_stream(taps):
    stream = [value for name, value in taps.items() if name.endswith(("residual", "embed"))]
    for before, after in itertools.pairwise(stream):
        change = np.sqrt(np.mean((after - before) ** 2.0) / np.mean(before**2.0))
        assert 0.1 < change < 2


def test_attention_is_neither_flat_nor_one_hot(model, taps):
    for name, value in taps.items():
        if name.endswith("probabilities"):
            p = value[:, :, -1] / value[:, :, -1].sum(axis=-1, keepdims=True)
            entropy = -np.sum(p * np.log(np.maximum(p, 1e-9)), axis=-1).mean()
            assert 0.4 < entropy / np.log(model.config.ctx_len) < 0.95, name


def test_greedy_generation_does_not_collapse(model):
    tokens = list(Reference(model).generate([0], model.config.ctx_len, SamplingSettings()))
    assert len(set(tokens)) >= 6
    assert len(set(tokens[len(tokens) // 2 :])) >= 2


def test_logits_spread(model, taps):
    assert 1 < np.std(taps["logits"] * model.logit_scale) < 4


def test_requantizers_use_their_bits(model):
    for name, matrix in model.matrices.items():
        digit_bits = round(1.6 * (matrix.digits - 1))
        assert 7 <= matrix.shift <= 16 + digit_bits, name
        assert 128 <= matrix.mult.max() <= 255, name
        assert len(set(matrix.mult)) > len(matrix.mult) / 8, name
    for norm in model.norms.values():
        assert np.abs(norm.gain).max() >= 32


def test_a_third_of_ternary_weights_is_zero(model):
    for matrix in model.matrices.values():
        zeros = np.mean(matrix.weight == 0)
        assert abs(zeros - 1 / 3**matrix.digits) < 0.05


@pytest.mark.parametrize("shape", EDGES)
def test_edge_shapes(shape):
    model = random_model(f"random:{shape}")
    taps = run(model)
    assert all(np.any(taps[name]) for name in taps if name.endswith((".q", ".v", "residual")))
    assert len(set(model.vocabulary)) == model.config.vocab_size
    for name, matrix in model.matrices.items():
        assert 7 <= matrix.shift <= 23, name
        assert 128 <= matrix.mult.max() <= 255, name
        assert matrix.weight.any(axis=1).all(), name


def test_defaults():
    config = random_model("random:n_layers=2").config
    assert config == random_model("random:seed=0").config
    assert (config.d_model, config.n_heads, config.d_ff) == (64, 2, 256)
    assert random_model("random:d_model=5,d_ff=2").config.n_heads == 1


def test_deterministic_in_the_seed():
    spec = "random:d_model=8,ctx_len=4,seed="
    assert random_model(spec + "3").digest == random_model(spec + "3").digest
    assert random_model(spec + "3").digest != random_model(spec + "4").digest


def test_digits():
    config = random_model(
        "random:d_model=4,digits=2,digits.up_proj=3,digits.layers.0.up_proj=5"
    ).config
    assert config.digits_of("layers.0.q_proj") == 2
    assert config.digits_of("layers.0.up_proj") == 5
    assert config.digits_of("layers.1.up_proj") == 3


def test_vocabulary_is_printable():
    vocabulary = random_model("random:d_model=2,vocab_size=500").vocabulary
    assert vocabulary[0] == " "
    assert "".join(vocabulary[1:53]).isalpha()
    assert all(len(entry) == 1 and entry.isprintable() for entry in vocabulary)
    assert len(set(vocabulary)) == 500


@pytest.mark.parametrize(
    "spec, text",
    [
        ("d_model=8", "a random model is written 'random:name=value,…', not 'd_model=8'"),
        (
            "random:width=8",
            "unknown random model setting 'width'; expected vocab_size, d_model, n_heads, "
            "n_layers, d_ff, ctx_len, seed, digits or digits.MATRIX; of a model as imported ones "
            "are: norm, positions, activation, gated, norm_bias, bias, tied_head, weights, head, "
            "weights.MATRIX, bits.NAME, n_kv_heads, head_dim",
        ),
        (
            "random:d_model=big",
            "random model setting 'd_model' must be an integer (d_model=1), not 'big'",
        ),
        ("random:seed", "random model setting 'seed' must be an integer (seed=1), not ''"),
        *(
            (
                empty,
                f"{empty} has no setting; write one, as random:n_layers=2, or random:seed=0 for "
                "all sizes by default",
            )
            for empty in ("random:", "random:,")
        ),
        ("random:seed=1,seed=2", "random model setting 'seed' is given twice"),
        ("random:seed=-1", "seed must be an integer of at least 0, not -1"),
        ("random:d_model=0", "d_model must be an integer of at least 1, not 0"),
        (
            "random:d_model=6,n_heads=4",
            "n_heads must divide d_model, but 4 does not divide 6; choose one of 1, 2, 3, 6",
        ),
        ("random:digits.up_proj=6", "digits of up_proj must be 1 to 5, not 6"),
        (
            "random:digits.gate=2",
            "digits names 'gate', which is no matrix of this model; expected one of q_proj, "
            "k_proj, v_proj, o_proj, up_proj, down_proj or 'layers.N.' before one of them",
        ),
    ],
)
def test_invalid_specifications(spec, text):
    assert message(spec) == text
