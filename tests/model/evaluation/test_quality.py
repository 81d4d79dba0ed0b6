"""Perplexities, divergence and top-1 of two models' logits."""

from __future__ import annotations

import numpy as np
import pytest

from gateformer.model.evaluation import quality
from gateformer.model.evaluation.quality import agreement, compare
from gateformer.model.support.errors import UserError


def test_the_same_logits_agree():
    rng = np.random.default_rng(0)
    logits = [rng.integers(-5000, 5000, (8, 30)) for _ in range(3)]
    targets = [rng.integers(0, 30, 8) for _ in range(3)]
    found = agreement(logits, [a / 1000 for a in logits], targets, 1e-3)
    assert found.predictions == 24
    assert found.ratio == pytest.approx(1) and found.ratio_error == pytest.approx(0, abs=1e-9)
    assert found.kl == pytest.approx(0, abs=1e-12) and found.top1 == 1
    assert found.perplexity == pytest.approx(found.float_perplexity)


def test_figures_of_two_known_distributions():
    p, q = np.array([0.5, 0.25, 0.25]), np.array([0.25, 0.5, 0.25])
    floats = [np.log(np.stack([p, p]))]
    integers = [np.log(np.stack([q, p])) * 2]
    seen = []
    found = agreement(
        integers, floats, [np.array([0, 1])], 0.5, lambda done, of: seen.append((done, of)), 1
    )
    kl = 0.5 * np.log(2) - 0.25 * np.log(2)
    assert found.kl == pytest.approx(kl / 2)
    assert found.kl_error == pytest.approx(kl / 2)  # of {kl, 0}: std kl / sqrt 2, over sqrt 2
    assert found.float_perplexity == pytest.approx(np.sqrt(8))
    assert found.perplexity == pytest.approx(4)
    assert found.ratio == pytest.approx(np.sqrt(2))
    assert found.top1 == 0.5 and seen == [(1, 1)]


def test_one_window_is_held_at_a_time():
    held = []

    def windows():
        for i in range(4):
            held.append(i)
            yield np.zeros((2, 5))

    def targets():
        for i in range(4):
            assert held == list(range(i + 1))
            yield np.zeros(2, int)

    agreement(windows(), (np.zeros((2, 5)) for _ in range(4)), targets(), 1.0)


def test_rows_do_not_depend_on_their_number(monkeypatch):
    rng = np.random.default_rng(0)
    integers, floats = rng.integers(-50, 50, (9, 30)), rng.normal(0, 3, (9, 30))
    targets = rng.integers(0, 30, 9)
    expected = compare(integers, floats, targets, 0.1)
    for logits in (1, 60, 120):
        monkeypatch.setattr(quality, "CHUNK_LOGITS", logits)
        for found, figure in zip(compare(integers, floats, targets, 0.1), expected, strict=True):
            assert np.array_equal(found, figure)
        assert np.array_equal(quality.losses(integers, targets, 0.1), expected.losses)


def test_too_few_predictions_are_refused():
    with pytest.raises(UserError, match="at least 2 predictions; give a longer text"):
        agreement([], [], [], 1.0)
