"""docs/number_contract.md is complete: what was written from it alone computes the same."""

import ast
import itertools
import re
from pathlib import Path

import numpy as np
import pytest

from gateformer.model.contract import arith, artifact
from gateformer.model.contract.random_model import random_model
from gateformer.model.contract.reference import Reference
from gateformer.model.contract.sampling import SamplingSettings

from . import contract_implementation
from .contract_implementation import Model, temperature

DOCUMENT = Path(__file__).parents[3] / "docs" / "number_contract.md"
SHAPES = [
    "random:d_model=6,n_heads=2,n_layers=2,d_ff=7,ctx_len=9,vocab_size=5,digits.up_proj=3,seed=1",
    "random:d_model=15,n_heads=5,n_layers=1,d_ff=11,ctx_len=20,vocab_size=33,digits=5,seed=2",
    "random:d_model=1,n_heads=1,n_layers=3,d_ff=1,ctx_len=2,vocab_size=2,digits=4,seed=3",
]
REQUESTS = [(0, 0, 0), (0.8, 0, 1), (1.3, 5, 2), (0.05, 0, 2**32 - 1), (1e30, 3, 0x9E3779B9)]
"""Temperature, top-k and seed."""


def opened(name: str, directory: Path):
    """(IntegerModel, Model of the same file)."""
    path = artifact.SHIPPED / f"{name}.safetensors"
    if name.startswith("random:"):
        path = directory / "random.safetensors"
        artifact.save(path, random_model(name))
    return artifact.load(path).model, Model(path.read_bytes())


@pytest.fixture(scope="module", params=[*artifact.shipped_models(), *SHAPES])
def both(request, tmp_path_factory):
    return opened(request.param, tmp_path_factory.mktemp("models"))


def test_the_implementation_takes_nothing_from_the_project():
    tree = ast.parse(Path(contract_implementation.__file__).read_text(encoding="utf-8"))
    imported = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {name.name.split(".")[0] for name in node.names}
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0
            imported.add(node.module.split(".")[0])
    standard = {"__future__", "collections", "fractions", "hashlib", "json", "math"}
    assert imported == standard | {"numpy", "safetensors"}


def test_the_file_is_read_the_same(both):
    reference, model = both
    assert reference.tensors().keys() == model.tensors.keys()
    for name, array in reference.tensors().items():
        np.testing.assert_array_equal(array, model.tensors[name], strict=True)
    assert model.computed_digest() == model.digest == reference.digest


def test_logits_at_every_position(both):
    reference, model = both
    cfg, running = reference.config, Reference(reference)
    tokens = np.random.default_rng(5).integers(0, cfg.vocab_size, cfg.ctx_len)
    model.begin()
    for token in tokens.tolist():
        assert model.step(token) == running.step(token).tolist()


@pytest.mark.parametrize("heat, top_k, seed", REQUESTS)
def test_tokens_to_the_end_of_the_context(both, heat, top_k, seed):
    reference, model = both
    cfg = reference.config
    settings = SamplingSettings.from_user(
        temperature=heat,
        top_k=min(top_k, cfg.vocab_size),
        seed=seed,
        logit_scale=reference.logit_scale,
        vocab_size=cfg.vocab_size,
    )
    assert temperature(heat, model.scalars["logit_scale"]) == (
        settings.temperature_mult,
        settings.temperature_shift,
    )
    prompt = [10 % cfg.vocab_size, 1][: cfg.ctx_len]
    most = cfg.ctx_len - len(prompt) + 1
    mult, shift = settings.temperature_mult, settings.temperature_shift
    tokens = list(model.generate(prompt, most + 3, mult, shift, settings.top_k, seed))
    assert len(tokens) == most
    assert tokens == list(Reference(reference).generate(prompt, most + 3, settings))


def test_the_temperature_is_mapped_the_same():
    scales = [*np.geomspace(1e-9, 1e3, 40).tolist(), 0.01, 1.0]
    heats = [5e-324, 1e-30, *np.geomspace(1e-4, 1e4, 60).tolist(), 1e30, 0.0, 0.7, 1.0]
    for scale, heat in itertools.product(scales, heats):
        settings = SamplingSettings.from_user(
            temperature=heat, top_k=0, seed=0, logit_scale=scale, vocab_size=2
        )
        mapped = settings.temperature_mult, settings.temperature_shift
        assert temperature(heat, scale) == mapped


def _worst(table: np.ndarray, ends: np.ndarray) -> float:
    """Largest relative error of the table's entries at both ends of their bins, in per cent."""
    return 100 * max(np.abs(table / ends[:-1] - 1).max(), np.abs(table / ends[1:] - 1).max())


def test_the_stated_errors_are_the_largest():
    norms = [
        _worst(arith.RMSNorm(d, 0).table[64:], 256 * np.sqrt(d * 64 / np.arange(64, 257)))
        for d in range(1, 2049)
    ]
    division = _worst(arith.Softmax(0).table, 512 / (1 + np.arange(257) / 256))
    stated = re.findall(r"(\d\.\d\d) %", DOCUMENT.read_text(encoding="utf-8"))
    found = [max(norms), max(norms[15:]), division]
    for text, error in zip(stated, found, strict=True):
        assert error <= float(text) < error + 0.01
