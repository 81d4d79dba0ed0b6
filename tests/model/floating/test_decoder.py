"""The float decoder: its stages, its limits, its activations."""

import dataclasses
import math

import numpy as np
import pytest

from gateformer.model.floating import activations
from gateformer.model.floating.decoder import FloatDecoder
from gateformer.model.floating.decoder_shape import DecoderShape
from gateformer.model.support.errors import UserError

SHAPE = DecoderShape(
    **{"vocab_size": 19, "d_model": 12, "n_heads": 4, "n_kv_heads": 2, "head_dim": 6},
    **{"n_layers": 2, "d_ff": 21, "ctx_len": 16, "norm": "rms", "norm_eps": 1e-5},
    **{"norm_bias": False, "positions": "rotary", "activation": "silu", "gated": True},
    bias=frozenset(("q_proj", "down_proj")),
    tied_head=False,
    inverse_frequencies=(1.0, 0.1, 0.01),
)
PLAIN = dataclasses.replace(
    SHAPE,
    **{"norm": "layer", "norm_bias": True, "positions": "learned", "activation": "gelu"},
    **{"gated": False, "tied_head": True, "inverse_frequencies": ()},
)
TOKENS = np.array([[3, 1, 4, 1, 5, 9], [2, 6, 5, 3, 5, 8]])
GATED = ("attn_norm", "q", "k", "v", "attn", "attn_residual", "ffn_norm", "gate", "up", "hidden")


def weights(shape):
    rng = np.random.default_rng(0)
    return {n: rng.normal(size=s).astype(np.float32) / 3 for n, s in shape.tensor_shapes().items()}


def taps(shape, tokens=TOKENS):
    seen = []
    FloatDecoder(shape, weights(shape)).logits(tokens, lambda name, x: seen.append((name, x)))
    return seen


@pytest.mark.parametrize("shape", [SHAPE, PLAIN], ids=["gated", "plain"])
def test_taps_in_order(shape):
    stages = [s for s in (*GATED, "ffn_residual") if shape.gated or s != "gate"]
    names = [f"layers.{i}.{stage}" for i in range(2) for stage in stages]
    seen = taps(shape)
    assert [name for name, _ in seen] == ["embed", *names, "final_norm", "logits"]
    widths = {"q": 24, "k": 12, "v": 12, "attn": 24, "gate": 21, "up": 21, "hidden": 21}
    for name, array in seen:
        width = 19 if name == "logits" else widths.get(name.rpartition(".")[2], 12)
        assert array.shape == (2, 6, width) and array.dtype == np.float32, name


@pytest.mark.parametrize("shape", [SHAPE, PLAIN], ids=["gated", "plain"])
def test_taps_fit_together(shape):
    seen, tensors = dict(taps(shape)), weights(shape)
    last = seen["embed"]
    for layer in ("layers.0.", "layers.1."):
        attended = seen[f"{layer}attn"] @ tensors[f"{layer}o_proj"].T
        np.testing.assert_allclose(seen[f"{layer}attn_residual"], last + attended, atol=1e-5)
        act = activations.FUNCTIONS[shape.activation]
        up = seen[f"{layer}up"]
        hidden = act(seen[f"{layer}gate"]) * up if shape.gated else act(up)
        np.testing.assert_allclose(seen[f"{layer}hidden"], hidden, atol=1e-6)
        last = seen[f"{layer}attn_residual"] + hidden @ tensors[f"{layer}down_proj"].T
        last = last + tensors[f"{layer}down_proj.bias"]
        np.testing.assert_allclose(seen[f"{layer}ffn_residual"], last, atol=1e-5)
    head = tensors["token_embedding" if shape.tied_head else "lm_head"]
    np.testing.assert_allclose(seen["logits"], seen["final_norm"] @ head.T, atol=1e-6)


@pytest.mark.parametrize("shape", [SHAPE, PLAIN], ids=["gated", "plain"])
def test_causal(shape):
    changed = TOKENS.copy()
    changed[:, 4:] = 0
    before, after = dict(taps(shape))["logits"], dict(taps(shape, changed))["logits"]
    np.testing.assert_allclose(before[:, :4], after[:, :4], atol=1e-5)
    assert np.abs(before[:, 4:] - after[:, 4:]).max() > 0.1


def test_weights_are_read_once_only_if_they_are_kept():
    class Counting(dict):
        reads = 0

        def __getitem__(self, name):
            Counting.reads += 1
            return super().__getitem__(name)

    tensors, results = Counting(weights(SHAPE)), []
    for keep, expected in ((True, 1), (False, 2)):
        Counting.reads = 0
        decoder = FloatDecoder(SHAPE, tensors, keep)
        results += [decoder.logits(TOKENS), decoder.logits(TOKENS)]
        assert Counting.reads == expected * len(tensors)
    for result in results[1:]:
        np.testing.assert_array_equal(result, results[0])


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        ([[0] * 17], "a sequence must have 1 to 16 tokens, the model's context, not 17"),
        ([[]], "a sequence must have 1 to 16 tokens, the model's context, not 0"),
        ([[3, 19]], "a token must be in 0..18, the model's vocabulary, not 19"),
        ([[-1, 3]], "a token must be in 0..18, the model's vocabulary, not -1"),
    ],
)
def test_tokens_out_of_range(tokens, expected):
    with pytest.raises(UserError) as error:
        FloatDecoder(SHAPE, weights(SHAPE)).logits(np.array(tokens, int))
    assert str(error.value) == expected


def test_erf_and_gelu():
    x = np.concatenate([np.linspace(-9, 9, 20_001), [-1e30, 1e30, 0.0]])
    expected = np.array([math.erf(value) for value in x])
    np.testing.assert_allclose(activations.erf(x), expected, rtol=0, atol=1e-9)
    values = np.linspace(-6, 6, 1001, dtype=np.float32)
    normal = [v * 0.5 * (1 + math.erf(v / math.sqrt(2))) for v in values.tolist()]
    np.testing.assert_allclose(activations.gelu(values), normal, rtol=0, atol=1e-6)


def test_silu_has_no_overflow():
    x = np.array([-1000, -100, 0, 100], np.float32)
    np.testing.assert_array_equal(activations.silu(x), [0, 0, 0, 100])


BAD_SHAPES = {
    "d_ff": ({"d_ff": 0}, "d_ff must be an integer in 1..16777216, not 0"),
    "n_layers": ({"n_layers": 1001}, "n_layers must be an integer in 1..1000, not 1001"),
    "KV heads": ({"n_kv_heads": 3}, "n_kv_heads must divide the 4 heads, not 3"),
    "norm": ({"norm": "batch"}, "norm must be one of rms, layer, not 'batch'"),
    "eps": ({"norm_eps": 0.0}, "norm_eps must be a positive number, not 0.0"),
    "norm bias": ({"norm_bias": True}, "norm_bias must be False with norm rms, not True"),
    "bias": (
        {"gated": False, "bias": frozenset(["gate_proj"])},
        "bias must name kinds of q_proj, k_proj, v_proj, o_proj, up_proj, down_proj, "
        "not 'gate_proj'",
    ),
    "odd": ({"head_dim": 5}, "head_dim must be even with rotary positions, not 5"),
    "frequencies": (
        {"inverse_frequencies": (1.0,)},
        "inverse_frequencies must be 3 numbers, not 1",
    ),
    "learned": (
        {"positions": "learned"},
        "inverse_frequencies must be empty with learned positions",
    ),
}


@pytest.mark.parametrize("name", BAD_SHAPES)
def test_bad_shapes(name):
    changes, expected = BAD_SHAPES[name]
    with pytest.raises(UserError) as error:
        dataclasses.replace(SHAPE, **changes)
    assert str(error.value) == expected
