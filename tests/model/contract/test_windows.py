"""The windowed forward pass is the reference, token for token and tap for tap."""

import math

import numpy as np
import pytest

from gateformer.model.contract.random_model import random_model
from gateformer.model.contract.reference import Reference
from gateformer.model.contract.windows import cross_entropy, validation_windows, window_logits
from gateformer.model.support.errors import UserError

SHAPES = [
    "seed=1,n_layers=2,d_model=16,n_heads=2,d_ff=40,ctx_len=12,vocab_size=19",
    "seed=2,n_layers=3,d_model=12,n_heads=3,d_ff=7,ctx_len=20,vocab_size=33,digits=2",
    "seed=3,n_layers=1,d_model=9,n_heads=1,d_ff=31,ctx_len=5,vocab_size=2,digits=5",
    "seed=4,n_layers=2,d_model=6,n_heads=6,d_ff=8,ctx_len=9,vocab_size=5,digits.up_proj=3",
    "seed=5,n_layers=1,d_model=1,n_heads=1,d_ff=1,ctx_len=1,vocab_size=1",
    "seed=6,n_layers=2,d_model=1,n_heads=1,d_ff=3,ctx_len=4,vocab_size=3",
    "seed=7,n_layers=2,d_model=64,n_heads=2,d_ff=100,ctx_len=70,vocab_size=50",
    "seed=8,n_layers=2,d_model=20,n_heads=4,d_ff=20,ctx_len=8,digits.layers.1.o_proj=4",
]


def message(function, *args):
    with pytest.raises(UserError) as error:
        function(*args)
    return str(error.value)


@pytest.mark.parametrize("shape", SHAPES)
def test_equal_to_the_reference(shape):
    model = random_model(f"random:{shape}")
    cfg = model.config
    tokens = np.random.default_rng(0).integers(cfg.vocab_size, size=(3, cfg.ctx_len))
    taps = {}
    logits = window_logits(model, tokens, lambda name, value: taps.setdefault(name, value))
    assert logits.dtype == np.int64
    for row, window in enumerate(tokens):
        expected = {}
        reference = Reference(model, lambda name, value, into=expected: into.update({name: value}))
        for now, token in enumerate(window):
            np.testing.assert_array_equal(logits[row, now], reference.step(token))
            assert list(expected) == list(taps)
            for name, value in expected.items():
                if name.endswith(("scores", "probabilities")):
                    found = taps[name][row, :, now, : now + 1]
                else:
                    found = taps[name][row, now]
                np.testing.assert_array_equal(found, value, err_msg=f"{name} at {now}")


def test_later_positions_have_probability_0():
    taps = {}
    window_logits(random_model(f"random:{SHAPES[0]}"), np.zeros((1, 12)), taps.__setitem__)
    p = taps["layers.1.probabilities"]
    assert not p[..., ~np.tri(12, dtype=bool)].any()


def test_invalid_windows():
    model = random_model(f"random:{SHAPES[0]}")
    assert message(window_logits, model, np.zeros((1, 13))) == (
        "windows of 13 tokens are longer than the context of 12"
    )
    assert message(window_logits, model, [[0, 19]]) == "token 19 is outside the vocabulary of 19"
    assert message(window_logits, model, [[-1]]) == "token -1 is outside the vocabulary of 19"
    assert message(window_logits, model, [1]) == (
        "token windows must have shape (batch, length), not (1,)"
    )


def test_cross_entropy():
    assert cross_entropy(np.zeros((2, 3, 8)), np.zeros((2, 3), int)) == pytest.approx(math.log(8))
    logits = np.log([[0.5, 0.25, 0.25], [0.1, 0.8, 0.1]]) + 1000
    assert cross_entropy(logits, [0, 2]) == pytest.approx(-(math.log(0.5) + math.log(0.1)) / 2)


def test_validation_windows_do_not_overlap():
    inputs, targets = validation_windows(np.arange(12), 4)
    np.testing.assert_array_equal(inputs, [[0, 1, 2, 3], [4, 5, 6, 7]])
    np.testing.assert_array_equal(targets, inputs + 1)
    assert len(validation_windows(np.arange(13), 4)[0]) == 3


def test_too_short_validation_text():
    assert message(validation_windows, [1, 2, 3, 4], 4) == (
        "the validation text has 4 tokens, but one window of 4 needs 5; use a longer text"
    )
