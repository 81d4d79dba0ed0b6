"""IntegerModel refuses what the hardware could not hold, naming the tensor."""

import dataclasses

import numpy as np
import pytest

from gateformer.model.contract.integer_model import IntegerModel
from gateformer.model.contract.random_model import random_model
from gateformer.model.support.errors import UserError


@pytest.fixture(scope="module")
def model():
    return random_model(
        "random:d_model=4,n_layers=1,d_ff=6,ctx_len=3,vocab_size=5,digits.up_proj=2"
    )


def changed_matrix(model, name, **changes):
    return {**model.matrices, name: dataclasses.replace(model.matrices[name], **changes)}


def message(model, **changes):
    with pytest.raises(UserError) as error:
        dataclasses.replace(model, **changes)
    return str(error.value)


@pytest.mark.parametrize(
    "name, changes, text",
    [
        (
            "layers.0.q_proj",
            {"weight": np.full((4, 4), 2)},
            "layers.0.q_proj.weight must hold ternary weights in -1..1, but has 2",
        ),
        (
            "layers.0.up_proj",
            {"weight": np.full((6, 4), -5)},
            "layers.0.up_proj.weight must hold 2-digit ternary weights in -4..4, but has -5",
        ),
        (
            "layers.0.up_proj",
            {"weight": np.zeros((4, 6))},
            "layers.0.up_proj.weight must have shape (6, 4), not (4, 6)",
        ),
        (
            "layers.0.o_proj",
            {"mult": np.full(4, 256)},
            "layers.0.o_proj.mult must hold values in 0..255, but has 256",
        ),
        (
            "layers.0.o_proj",
            {"shift": 32},
            "layers.0.o_proj.shift must be an integer in 0..31, not 32",
        ),
        (
            "layers.0.o_proj",
            {"digits": 2},
            "layers.0.o_proj has 2 digits, the config says 1",
        ),
    ],
)
def test_invalid_matrices(model, name, changes, text):
    assert message(model, matrices=changed_matrix(model, name, **changes)) == text


@pytest.mark.parametrize(
    "changes, text",
    [
        ({"token_mult": 0}, "token_mult must be an integer in 1..255, not 0"),
        ({"position_mult": 1.5}, "position_mult must be an integer in 1..255, not 1.5"),
        ({"score_shifts": (1, 2)}, "score_shifts must have 1 entries, not 2"),
        ({"score_shifts": (40,)}, "layers.0.score_shift must be an integer in 0..31, not 40"),
        ({"logit_scale": 0.0}, "logit_scale must be a positive number, not 0.0"),
        ({"logit_scale": float("nan")}, "logit_scale must be a positive number, not nan"),
        ({"vocabulary": ("a",)}, "vocabulary must have 5 entries, not 1"),
        ({"matrices": {}}, "matrices must have layers.0.q_proj, which is missing"),
        ({"norms": {}}, "norms must have layers.0.attn_norm, which is missing"),
        (
            {"position_embedding": np.full((3, 4), 128)},
            "position_embedding must hold values in -127..127, but has 128",
        ),
    ],
)
def test_invalid_settings(model, changes, text):
    assert message(model, **changes) == text


def test_parts_make_the_same_model(model):
    again = IntegerModel.from_parts(model.config, model.tensors(), model.scalars())
    assert again.digest == model.digest


@pytest.mark.parametrize(
    "changes",
    [
        {"token_mult": 1},
        {"logit_scale": 0.123},
        {"vocabulary": tuple("vwxyz")},
        {"token_embedding": np.zeros((5, 4), np.int64)},
    ],
)
def test_digest_depends_on_everything(model, changes):
    assert dataclasses.replace(model, **changes).digest != model.digest


def test_accumulator_bound(model):
    matrix = dataclasses.replace(
        model.matrices["layers.0.q_proj"], weight=np.array([[1, -1, 0, 1], [0, 0, 1, 0]])
    )
    assert matrix.acc_bound == 3 * 127
