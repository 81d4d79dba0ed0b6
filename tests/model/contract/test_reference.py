"""The reference: what the core does with a request."""

import numpy as np
import pytest

from gateformer.model.contract import arith
from gateformer.model.contract.random_model import random_model
from gateformer.model.contract.reference import Reference
from gateformer.model.contract.sampling import SamplingSettings
from gateformer.model.support.errors import UserError

CTX_LEN = 6
VOCAB_SIZE = 20
GREEDY = SamplingSettings()


@pytest.fixture(scope="module")
def model():
    return random_model(
        f"random:d_model=8,n_layers=2,d_ff=12,ctx_len={CTX_LEN},vocab_size={VOCAB_SIZE},seed=1"
    )


def message(function, *args):
    with pytest.raises(UserError) as error:
        list(function(*args))
    return str(error.value)


@pytest.mark.parametrize(
    "prompt, count, text",
    [
        ([], 1, "the prompt must have at least 1 token, but is empty"),
        (
            [0] * 7,
            1,
            "the prompt has 7 tokens, but the context holds 6; shorten the prompt",
        ),
        ([0, 20], 1, "token 20 is outside the vocabulary of 20"),
        ([-1], 1, "token -1 is outside the vocabulary of 20"),
        ([0], 0, "tokens must be at least 1, not 0"),
        ([0], -3, "tokens must be at least 1, not -3"),
    ],
)
def test_invalid_requests(model, prompt, count, text):
    assert message(Reference(model).generate, prompt, count, GREEDY) == text


def test_full_context(model):
    reference = Reference(model)
    for _ in range(CTX_LEN):
        reference.step(0)
    assert message(reference.step, 0) == ("the context of 6 tokens is full; start a new sequence")
    reference.reset()
    reference.step(0)


@pytest.mark.parametrize("length", range(1, CTX_LEN + 1))
def test_generation_ends_with_the_context(model, length):
    tokens = list(Reference(model).generate([3] * length, 100, GREEDY))
    assert len(tokens) == CTX_LEN - length + 1


def test_generation_yields_as_many_tokens_as_asked(model):
    reference = Reference(model)
    longest = list(reference.generate([1, 2], 5, GREEDY))
    for count in range(1, 6):
        assert list(reference.generate([1, 2], count, GREEDY)) == longest[:count]
    assert reference.position == CTX_LEN


def test_generation_feeds_its_own_tokens(model):
    tokens = list(Reference(model).generate([4], 6, GREEDY))
    replay, context = Reference(model), [4, *tokens[:-1]]
    assert [int(np.argmax(replay.step(token))) for token in context] == tokens


def test_taps_come_in_order_and_in_range(model):
    taps = []
    reference = Reference(model, lambda name, value: taps.append((name, value)))
    reference.step(1)
    reference.step(2)
    stages = ["attn_norm", "q", "k", "v", "scores", "probabilities", "attn", "attn_residual"]
    stages += ["ffn_norm", "ffn_hidden", "ffn_residual"]
    layers = [f"layers.{i}.{stage}" for i in range(2) for stage in stages]
    names = ["embed", *layers, "final_norm", "logits"]
    assert [name for name, _ in taps] == 2 * names
    values = dict(taps)
    for name, value in values.items():
        if name.endswith(("norm", ".q", ".k", ".v", "attn")):
            assert value.shape == (8,)
            assert np.abs(value).max() <= arith.ACT_MAX
        elif name.endswith(("residual", "embed")):
            assert np.abs(value).max() <= arith.RESIDUAL_MAX
        elif name.endswith(("scores", "probabilities")):
            assert value.shape == (2, 2)
    assert values["layers.0.ffn_hidden"].shape == (12,)
    assert values["layers.0.ffn_hidden"].min() >= 0
    assert values["layers.1.probabilities"].max(axis=1).tolist() == [255, 255]


def test_earlier_tokens_matter(model):
    def last(*context):
        reference = Reference(model)
        return [reference.step(token) for token in context][-1].tolist()

    assert last(1, 2, 3) == last(1, 2, 3) != last(5, 2, 3)
