"""Windows of imported models: the reference's figures, however many are computed together."""

import numpy as np
import pytest

from gateformer.model.contract.decoder.random_decoder import random_decoder
from gateformer.model.contract.decoder.reference import DecoderReference
from gateformer.model.evaluation import window_pool
from gateformer.model.evaluation.quality import compare, log_softmax
from gateformer.model.evaluation.window_pool import WindowPool
from gateformer.model.support.errors import UserError

PREFIX = (5, 9)
RNG = np.random.default_rng(0)
INPUTS, TARGETS = RNG.integers(0, 26, (2, 5, 80))


class FakeFloat:
    """Float logits that depend on every token."""

    def logits(self, tokens):
        return np.sin(np.cumsum(tokens, axis=1)[..., None] * np.arange(1, 27)).astype(np.float32)


@pytest.fixture
def model():
    shape = {"d_model": 16, "n_heads": 2, "n_layers": 2, "d_ff": 24, "ctx_len": 90}
    model = random_decoder(3, vocab_size=26, **shape)
    object.__setattr__(model, "prefix", PREFIX)
    return model


def expected_logits(model):
    """Integer logits of each window, and the share of each stage's values that was limited."""
    reference = DecoderReference(model)
    logits = []
    for window in INPUTS:
        reference.reset()
        logits.append(reference.feed([*PREFIX, *window])[len(PREFIX) :])
    return logits, {name: n / of for name, (n, of) in reference.saturations.items()}


@pytest.mark.parametrize("threads", [1, 3, 8])
def test_figures_are_the_references(model, threads):
    logits, shares = expected_logits(model)
    seen = []
    pool = WindowPool(model, FakeFloat(), threads)
    found = pool.results(INPUTS, TARGETS, lambda *progress: seen.append(progress))
    floats = [FakeFloat().logits(np.array([[*PREFIX, *window]]))[0] for window in INPUTS]
    expected = [
        compare(a, b[len(PREFIX) :], target, model.logit_scale)
        for a, b, target in zip(logits, floats, TARGETS, strict=True)
    ]
    for figure, other in zip(zip(*found, strict=True), zip(*expected, strict=True), strict=True):
        assert np.array_equal(np.concatenate(figure), np.concatenate(other))
    assert seen == [(done, 5) for done in range(1, 6)]
    saturated = pool.saturated(INPUTS)
    assert saturated == pytest.approx({name: shares[name] for name in saturated})
    assert any(saturated.values())


def test_losses_without_a_compiler_are_the_same(model, monkeypatch):
    def missing(model):
        raise UserError("no C compiler found")

    monkeypatch.setattr(window_pool, "DecoderStream", missing)
    pool = WindowPool(model, None, 4)
    found = np.concatenate(pool.results(INPUTS, TARGETS, lambda *progress: None))
    logits = np.concatenate(expected_logits(model)[0])
    p = log_softmax(logits * model.logit_scale)
    assert np.array_equal(found, -p[np.arange(len(p)), TARGETS.ravel()])
