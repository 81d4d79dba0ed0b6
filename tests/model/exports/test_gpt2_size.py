"""GPT-2 at its own size, with random weights: takes minutes and 4 GB of memory."""

import json

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("onnx", reason="the export extra installs it")
pytest.importorskip("onnxruntime", reason="the export extra installs it")

import onnx

from gateformer.model.exports import export
from tests.support.checkpoints.gpt2_files import gpt2_tensors, write_gpt2

GPT2_SMALL = {
    "vocab_size": 50_257,
    "n_embd": 768,
    "n_head": 12,
    "n_layer": 12,
    "n_positions": 1024,
    "n_inner": 3072,
}
STD = 0.02
"""GPT-2's own, of the weights before training."""
TOLERANCE = 1e-4

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    tensors = gpt2_tensors(STD, **GPT2_SMALL)
    assert sum(tensor.numel() for tensor in tensors.values()) == 124_439_808
    return write_gpt2(tmp_path_factory.mktemp("full") / "gpt2", tensors, **GPT2_SMALL)


@pytest.mark.parametrize("target", [pytest.param("onnx", marks=pytest.mark.full_size), "onnx-kv"])
def test_the_export_equals_its_source(checkpoint, target, tmp_path, capsys):
    out = tmp_path / "gpt2.onnx"
    export.main([str(checkpoint), "--to", target, "--out", str(out)])
    line = capsys.readouterr().out
    assert "equals torch: largest difference" in line
    assert float(line.split("largest difference ")[1].split()[0]) < TOLERANCE
    model = onnx.load(out)
    facts = {entry.key: entry.value for entry in model.metadata_props}
    assert json.loads(facts["config"]).items() >= GPT2_SMALL.items()
    stored = sum(int(np.prod(tensor.dims)) for tensor in model.graph.initializer)
    assert stored >= 124_000_000
