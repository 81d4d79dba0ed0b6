"""The shape of a model: derived sizes and messages."""

import json

import pytest

from gateformer.model.contract.config import MATRICES, ModelConfig
from gateformer.model.contract.trained_shapes import PRESETS
from gateformer.model.support.errors import UserError

SIZES = {
    "vocab_size": 11,
    "d_model": 12,
    "n_heads": 3,
    "n_layers": 2,
    "d_ff": 20,
    "ctx_len": 7,
}


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"d_model": 0}, "d_model must be an integer of at least 1, not 0"),
        ({"n_layers": 999_999_999}, "n_layers must be at most 1,000, not 999,999,999"),
        ({"d_ff": 2**18 + 1}, "d_ff must be at most 262,144, not 262,145"),
        ({"n_layers": -2}, "n_layers must be an integer of at least 1, not -2"),
        ({"vocab_size": 2.0}, "vocab_size must be an integer of at least 1, not 2.0"),
        ({"ctx_len": "7"}, "ctx_len must be an integer of at least 1, not '7'"),
        ({"d_ff": True}, "d_ff must be an integer of at least 1, not True"),
        (
            {"n_heads": 5},
            "n_heads must divide d_model, but 5 does not divide 12; "
            "choose one of 1, 2, 3, 4, 6, 12",
        ),
        ({"digits": 0}, "digits of q_proj must be 1 to 5, not 0"),
        ({"digits": {"up_proj": 6}}, "digits of up_proj must be 1 to 5, not 6"),
        ({"digits": {"layers.1.o_proj": 1.5}}, "digits of layers.1.o_proj must be 1 to 5, not 1.5"),
        (
            {"digits": {"layers.2.q_proj": 1}},
            "digits names 'layers.2.q_proj', which is no matrix of this model; expected one of "
            "q_proj, k_proj, v_proj, o_proj, up_proj, down_proj or 'layers.N.' before one of them",
        ),
    ],
)
def test_invalid_settings(changes, message):
    with pytest.raises(UserError) as error:
        ModelConfig(**{**SIZES, **changes})
    assert str(error.value) == message


def test_the_more_special_digits_win():
    config = ModelConfig(
        **SIZES, digits={"up_proj": 2, "layers.1.up_proj": 4, "layers.0.q_proj": 3}
    )
    assert config.digits_of("layers.0.up_proj") == 2
    assert config.digits_of("layers.1.up_proj") == 4
    assert config.digits_of("layers.0.q_proj") == 3
    assert config.digits_of("layers.1.q_proj") == 1


def test_digits_of_all_matrices():
    assert {count for _, count in ModelConfig(**SIZES, digits=3).digits} == {3}
    assert ModelConfig(**SIZES) == ModelConfig(**SIZES, digits=1)


def test_names_and_shapes():
    config = ModelConfig(**SIZES)
    assert config.head_dim == 4
    assert config.matrix_names()[: len(MATRICES)] == [f"layers.0.{kind}" for kind in MATRICES]
    assert len(config.matrix_names()) == 12
    assert config.norm_names() == [
        "layers.0.attn_norm",
        "layers.0.ffn_norm",
        "layers.1.attn_norm",
        "layers.1.ffn_norm",
        "final_norm",
    ]
    assert config.matrix_shape("layers.1.up_proj") == (20, 12)
    assert config.matrix_shape("layers.1.down_proj") == (12, 20)
    assert config.matrix_shape("layers.0.o_proj") == (12, 12)
    assert config.n_weights == 2 * (4 * 144 + 2 * 240) + 18 * 12 + 5 * 12


@pytest.mark.parametrize("digits", [1, {"down_proj": 2, "layers.0.v_proj": 5}])
def test_json_round_trip(digits):
    config = ModelConfig(**SIZES, digits=digits)
    assert ModelConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config
    assert hash(ModelConfig.from_dict(config.to_dict())) == hash(config)


def test_unknown_and_missing_settings():
    with pytest.raises(UserError) as error:
        ModelConfig.from_dict({**SIZES, "n_head": 3})
    assert str(error.value) == (
        "unknown model setting 'n_head'; expected ctx_len, d_ff, d_model, digits, n_heads, "
        "n_layers, vocab_size"
    )
    with pytest.raises(UserError) as error:
        ModelConfig.from_dict({name: SIZES[name] for name in SIZES if name != "d_ff"})
    assert str(error.value) == "model setting 'd_ff' is missing"


def test_reference_shape():
    config = PRESETS["shakespeare-115k"]
    assert (config.head_dim, config.n_weights) == (32, 115008)
