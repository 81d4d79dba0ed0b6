"""The decoder in torch computes what the one in numpy does, whatever the shape."""

import numpy as np
import pytest
import torch

from gateformer.model.floating.decoder import FloatDecoder
from gateformer.model.floating.torch_decoder import TorchDecoder
from tests.model.importing.random_source import random_source, random_windows
from tests.support.decoder_choices import CHOICES, named, shapes
from tests.support.pairwise import pairwise

torch.set_num_threads(1)


@pytest.mark.parametrize("fields", shapes(), ids=named)
def test_logits_equal_numpys(fields):
    source = random_source(3, **fields)
    tokens = np.stack(random_windows(5, source, 3))
    expected = FloatDecoder(source).logits(tokens)
    model = TorchDecoder.from_tensors(source.shape, source.tensors)
    with torch.inference_mode():
        got = model(torch.from_numpy(tokens)).numpy()
    assert np.abs(expected).max() > 0.5
    assert np.abs(got - expected).max() <= 1e-4 * max(1, np.abs(expected).max())


@pytest.mark.parametrize("fields", shapes(), ids=named)
def test_tensors_are_those_of_the_shape(fields):
    source = random_source(3, **fields)
    tensors = TorchDecoder.from_tensors(source.shape, source.tensors).tensors()
    assert list(sorted(tensors)) == sorted(source.shape.tensor_shapes())
    for name, value in tensors.items():
        assert np.array_equal(value, source.tensors[name])


def test_the_seed_decides_the_first_weights():
    shape = random_source(0, norm="layer", norm_bias=True, bias=frozenset(["q_proj"])).shape
    first, again, other = (
        TorchDecoder(shape, torch.Generator().manual_seed(seed)).tensors() for seed in (1, 1, 2)
    )
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not np.array_equal(first["layers.0.q_proj"], other["layers.0.q_proj"])
    assert not first["layers.0.q_proj.bias"].any() and not first["final_norm.bias"].any()


def test_every_pair_of_choices_is_tried():
    rows = pairwise(CHOICES)
    assert len(rows) < 30
    for one in CHOICES:
        for other in CHOICES:
            pairs = {(repr(row[one]), repr(row[other])) for row in rows}
            expected = len(CHOICES[one]) * len(CHOICES[other])
            assert len(pairs) == (len(CHOICES[one]) if one == other else expected)
