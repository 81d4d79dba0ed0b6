"""Ranges of a float decoder on windows of a text."""

from __future__ import annotations

import numpy as np
import pytest

from gateformer.model.floating.decoder import FloatDecoder
from gateformer.model.importing.calibration import calibrate, calibration_windows
from gateformer.model.support.errors import UserError

from .random_source import random_source, random_windows


def test_every_second_window_begins_with_bos_and_keeps_its_length():
    windows = calibration_windows(np.arange(10, 110), 20, 4, bos=1)
    assert [window[0] for window in windows] == [1, 36, 1, 90]
    assert all(len(window) == 20 for window in windows)
    assert windows[0][1] == 10 and windows[3][-1] == 109


def test_windows_without_bos_are_the_text():
    windows = calibration_windows(np.arange(40), 20, 2)
    assert np.array_equal(np.concatenate(windows), np.arange(40))


def test_a_short_text_is_refused():
    with pytest.raises(UserError) as caught:
        calibration_windows(np.arange(79), 20, 4)
    assert str(caught.value) == (
        "the calibration text has 79 tokens, expected at least 80 (4 windows of 20); give a longer "
        "text or fewer windows"
    )


def test_no_window_is_refused():
    with pytest.raises(UserError, match="at least one window of tokens, not 0; give a text"):
        calibrate(FloatDecoder(random_source()), [])


def test_ranges_are_of_all_windows():
    source = random_source(1)
    decoder, windows = FloatDecoder(source), random_windows(2, source, 3)
    taps = {}
    for window in windows:
        decoder.logits(window[None], lambda name, a: taps.setdefault(name, []).append(a[0]))
    steps = []
    ranges = calibrate(
        decoder, windows, products=True, progress=lambda done, total: steps.append((done, total))
    )
    assert steps == [(1, 3), (2, 3), (3, 3)]
    assert ranges.count == sum(map(len, windows))
    hidden = np.concatenate(taps["layers.1.hidden"]).astype(float)
    np.testing.assert_allclose(ranges.largest["layers.1.hidden"], np.abs(hidden).max(axis=0))
    np.testing.assert_allclose(ranges.moments["layers.1.hidden"], (hidden**2).mean(axis=0), 1e-5)
    np.testing.assert_allclose(
        ranges.products["layers.1.hidden"], hidden.T @ hidden / len(hidden), 1e-3, 1e-4
    )
    assert ranges.most("logits") == pytest.approx(np.abs(np.concatenate(taps["logits"])).max())


def test_the_range_of_rotated_keys_is_their_pairs_radius():
    source = random_source(1)
    taps = {}
    windows = random_windows(2, source, 1)
    decoder = FloatDecoder(source)
    decoder.logits(windows[0][None], lambda name, a: taps.update({name: a[0]}))
    a, b = np.split(taps["layers.0.k"].reshape(-1, 2, 8), 2, axis=-1)
    radius = np.hypot(a, b).max(axis=0)
    largest = calibrate(decoder, windows).largest["layers.0.k"].reshape(2, 8)
    np.testing.assert_allclose(largest, np.concatenate([radius, radius], axis=-1), 1e-6)


def test_a_prefix_goes_before_every_window():
    source = random_source(1)
    decoder = FloatDecoder(source)
    window = random_windows(2, source, 1)[0]
    alone = calibrate(decoder, [window])
    again = calibrate(decoder, [window[3:]], prefix=tuple(window[:3]))
    assert all(np.array_equal(alone.largest[s], again.largest[s]) for s in alone.largest)


def test_damaged_weights_are_named():
    source = random_source(1)
    source.tensors["layers.1.up_proj"][0, 0] = np.inf
    with pytest.raises(UserError, match=r"the model's layers\.1\.up is not a finite number"):
        calibrate(FloatDecoder(source), random_windows(2, source, 1))
