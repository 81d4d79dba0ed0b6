"""The options of other architectures: the shape they make, and what does not go together."""

import dataclasses

import pytest

from gateformer.model.contract.trained_shapes import PRESETS
from gateformer.model.support import cli
from gateformer.model.training import decoder_recipe, shape_options, train
from tests.support.user_error import no_integer

BOARD = "shakespeare-115k"


def shape(preset=BOARD, sizes=(), **choices):
    found = shape_options.decoder_shape(preset, dict(sizes), choices)
    return found and found[0]


def reason(**choices):
    return shape_options.decoder_shape(BOARD, {}, choices)[1]


def test_version_1_stays_version_1():
    for preset in PRESETS:
        assert shape(preset) is None
    chosen = {"norm": "rms", "positions": "learned", "activation": "relu", "bias": "none"}
    assert shape(**chosen, n_kv_heads=2, head_dim=32, gated=False, untied_head=False) is None
    assert shape(sizes={"n_layers": 3, "d_model": 96, "n_heads": 3}) is None


@pytest.mark.parametrize(
    "choice, text",
    [
        ({"norm": "layer"}, "--norm layer"),
        ({"positions": "rotary"}, "--positions rotary"),
        ({"activation": "silu"}, "--activation silu"),
        ({"gated": True}, "--gated"),
        ({"bias": "q_proj"}, "--bias q_proj"),
        ({"n_kv_heads": 1}, "--n-kv-heads 1"),
        ({"head_dim": 8}, "--head-dim 8"),
        ({"untied_head": True}, "--untied-head"),
        ({"bits": "8"}, "--bits 8"),
    ],
)
def test_each_choice_leaves_version_1(choice, text):
    assert reason(**choice) == text


def test_sizes_are_the_presets_unless_given():
    made = shape(sizes={"n_layers": 3, "d_model": 96, "n_heads": 6}, norm="layer")
    assert (made.n_layers, made.d_model, made.n_heads, made.n_kv_heads) == (3, 96, 6, 6)
    assert (made.head_dim, made.d_ff, made.ctx_len) == (16, 384, 128)
    assert shape(sizes={"d_ff": 77}, gated=True).d_ff == 77
    rotary = shape(positions="rotary", head_dim=10).inverse_frequencies
    assert rotary == pytest.approx([10_000 ** (-2 * j / 10) for j in range(5)])


def test_biases():
    matrices = {"q_proj", "k_proj", "v_proj", "o_proj", "up_proj", "down_proj"}
    assert shape(bias="all").bias == matrices and not shape(bias="all").norm_bias
    assert shape(bias="all", gated=True).bias == {*matrices, "gate_proj"}
    assert shape(bias="all", norm="layer").norm_bias
    some = shape(bias="norm, v_proj", norm="layer")
    assert some.bias == {"v_proj"} and some.norm_bias


def test_nanogpts_model():
    made = shape("nanogpt-cpu")
    # wte, wpe; per layer two norms, attention and feed-forward with biases; the last norm
    layer = 2 * 2 * 128 + 4 * (128 * 128 + 128) + (512 * 128 + 512) + (128 * 512 + 128)
    assert made.n_parameters == 65 * 128 + 64 * 128 + 4 * layer + 2 * 128
    assert made.bias and made.norm_bias
    bare = shape("nanogpt-cpu", bias="none")
    assert bare == dataclasses.replace(made, bias=frozenset(), norm_bias=False)
    assert shape("nanogpt-cpu", norm="rms").norm_bias is False
    recipe = decoder_recipe.preset_recipe("nanogpt-cpu", made, weights=None, batch=None)
    assert (recipe.float_steps, recipe.batch, recipe.weights) == (2000, 12, "int8")
    assert decoder_recipe.preset_recipe("nanogpt-cpu", made, float_steps=3).float_steps == 3


@pytest.mark.parametrize(
    "given, message",
    [
        ("--norm batch", "norm must be one of rms, layer, not 'batch'"),
        ("--positions alibi", "positions must be one of learned, rotary, not 'alibi'"),
        ("--activation tanh", "activation must be one of relu, silu, gelu, gelu_tanh, not 'tanh'"),
        (
            "--bias gate_proj",
            "--bias names 'gate_proj'; expected all, none, or some of q_proj, k_proj, v_proj, "
            "o_proj, up_proj, down_proj and norm",
        ),
        (
            "--bias norm --gated",
            "--bias norm is for --norm layer: an RMSNorm has none; leave norm out",
        ),
        ("--n-kv-heads 3", "n_kv_heads must divide the 2 heads, not 3"),
        ("--positions rotary --head-dim 5", "head_dim must be even with rotary positions, not 5"),
        (
            "--norm layer --d-model 10 --n-heads 4",
            "n_heads must divide d_model, but 4 does not divide 10; choose one of 1, 2, 5, 10",
        ),
        ("--norm layer --n-heads 0", no_integer("--n-heads", "from 1 to 262144", 0)),
        ("--norm layer --d-ff 0", no_integer("--d-ff", "from 1 to 262144", 0)),
        ("--norm layer --d-ff 300000", no_integer("--d-ff", "from 1 to 262144", 300000)),
        (
            "--norm layer --d-model 16384 --n-heads 1",
            "d_model must be at most 16,383 with a residual of 24 bits, not 16,384",
        ),
        ("--norm layer --n-layers 1001", no_integer("--n-layers", "from 1 to 1000", 1001)),
        (
            "--n-kv-heads 0",
            no_integer("--n-kv-heads", "from 1 to 262144", 0),
        ),
        ("--bits 9", "--bits must be 4 to 8 or trits:1 to trits:5, not '9'"),
        (
            "--bits auto",
            "--bits auto is for gateformer import; train with another, then import the artifact "
            "with it: it keeps its float weights",
        ),
        *(
            (
                f"--norm layer {option}",
                f"{option.split()[0]} is for training in integers, which --norm layer has none of; "
                f"leave {option.split()[0]} out: its training has --float-steps and --float-lr, "
                "its weights --bits",
            )
            for option in ("--steps 5", "--digits 2", "--teacher t", "--activation-quantile 0.5")
        ),
        ("--gated --float-steps 0", no_integer("--float-steps", "from 1 to 1000000000", 0)),
        ("--gated --batch 0", no_integer("--batch", "from 1 to 1000000000", 0)),
        ("--gated --average 1", "average must be at least 0 and below 1, not 1"),
        (
            "--preset gpt5 --norm layer",
            "no preset 'gpt5'; the presets are: nanogpt-cpu, shakespeare-115k, "
            "shakespeare-115k-2t, shakespeare-zybo, stories-zybo",
        ),
    ],
)
def test_bad_input_is_one_line(monkeypatch, tmp_path, capsys, given, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text").write_text("to be or not to be " * 99)
    line = ["--corpus", "text", "--out", "a.safetensors", *given.split()]
    with pytest.raises(SystemExit) as stop:
        cli.run(lambda: train.main(line))
    assert stop.value.code == 2
    assert capsys.readouterr().err == f"error: {message}\n"
    assert {path.name for path in tmp_path.iterdir()} == {"text"}
