"""Bits per matrix for a budget of bytes."""

from __future__ import annotations

import pytest

from gateformer.model.floating.decoder import FloatDecoder
from gateformer.model.importing.allocation import LADDER, allocate
from gateformer.model.importing.calibration import calibrate
from gateformer.model.importing.choice import Choice
from gateformer.model.importing.quantizing import quantize
from gateformer.model.support.errors import UserError

from .random_source import random_source, random_windows


@pytest.fixture(scope="module")
def prepared():
    source = random_source(1)
    source.tensors["layers.0.o_proj"] *= 0.001  # of no weight
    windows = random_windows(2, source, 2)
    return source, calibrate(FloatDecoder(source), windows), windows


def size(formats, source):
    shapes = source.shape.tensor_shapes()
    bits = {name: shapes[name][0] * shapes[name][1] * int(t[3:]) for name, t in formats.items()}
    return sum(n // 8 + 2 * shapes[name][0] for name, n in bits.items())


def test_the_budget_is_kept_and_spent(prepared):
    least = size(dict.fromkeys(_names(prepared[0]), "int4"), prepared[0])
    for budget in (least, int(1.3 * least), int(1.7 * least)):
        formats = allocate(*prepared, budget)
        assert set(formats) == _names(prepared[0])
        assert budget - 1024 < size(formats, prepared[0]) <= budget
    model = quantize(prepared[0], prepared[1], Choice(formats=formats))
    assert {name: model.config.format_of(name) for name in formats} == formats


def test_what_matters_least_keeps_the_fewest_bits(prepared):
    least = size(dict.fromkeys(_names(prepared[0]), "int4"), prepared[0])
    formats = allocate(*prepared, int(1.5 * least))
    assert formats["layers.0.o_proj"] == LADDER[0]
    assert formats["token_embedding"] != LADDER[0]


def test_plenty_is_8_bits_and_progress_counts(prepared):
    seen = []
    formats = allocate(*prepared, 10**6, lambda done, total: seen.append((done, total)))
    assert set(formats.values()) == {"int8"}
    assert seen == [(i, 15) for i in range(1, 16)]


def test_too_small_a_budget_is_refused(prepared):
    least = size(dict.fromkeys(_names(prepared[0]), "int4"), prepared[0])
    most = size(dict.fromkeys(_names(prepared[0]), "int8"), prepared[0])
    with pytest.raises(UserError) as caught:
        allocate(*prepared, least - 1)
    assert str(caught.value) == (
        f"a budget of {least - 1} bytes is too small; {least} bytes (int4 for every matrix) is the "
        f"least, {most} (int8) the most of use"
    )


def _names(source):
    return {n for n in source.shape.tensor_shapes() if n.endswith(("_proj", "embedding"))}
