"""Float ONNX equals torch; the static KV cache is that of the whole sequence."""

import json

import numpy as np
import onnx
import pytest
import torch

from gateformer.model.contract.artifact import open_model
from gateformer.model.contract.config import ModelConfig
from gateformer.model.exports import float_check as export_check
from gateformer.model.exports import onnx_graph
from gateformer.model.exports.onnx_float import (
    cache_bytes,
    cache_shape_of,
    export_full,
    export_static_kv,
    full_graph,
    static_kv_graph,
)
from gateformer.model.exports.onnx_graph import initializers, metadata
from gateformer.model.exports.onnx_session import session
from gateformer.model.exports.source import artifact_source
from gateformer.model.exports.torch_program import METADATA_FILE, export_torch
from gateformer.model.floating.gpt2 import GPT2, GPT2Config
from gateformer.model.floating.torch_model import FloatModel, SquaredReLUModel
from gateformer.model.support.errors import ToolError, UserError

torch.set_num_threads(1)

BAR = 1e-4
ODD = ModelConfig(vocab_size=31, d_model=24, n_heads=3, n_layers=2, d_ff=40, ctx_len=20)


def alive(model):
    """The model with embeddings and gains of a trained one's size: logits of some nats."""
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim == 1 or "embedding" in name:
                parameter.normal_(std=0.5, generator=generator)
    return model.eval()


MODELS = {
    "odd": lambda: alive(FloatModel(ODD)),
    "squared relu": lambda: alive(SquaredReLUModel(ODD)),
    "one of each": lambda: alive(FloatModel(ModelConfig(1, 1, 1, 1, 1, 1))),
    "gpt2": lambda: alive(GPT2(GPT2Config(ODD))),
    "gpt2 gelu": lambda: alive(GPT2(GPT2Config(ODD, "gelu", 1e-3))),
    "gpt2 relu": lambda: alive(GPT2(GPT2Config(ODD, "relu"))),
    "shipped": lambda: artifact_source(open_model("shakespeare-115k")).load_float(),
}


@pytest.fixture(scope="module", params=MODELS)
def model(request):
    torch.manual_seed(1)
    return MODELS[request.param]()


def logits(model, tokens):
    with torch.inference_mode():
        return model(torch.from_numpy(tokens)).numpy()


def random_tokens(model, batch, length, seed=3):
    return np.random.default_rng(seed).integers(model.config.vocab_size, size=(batch, length))


def test_whole_sequences_of_any_batch_and_length(model, tmp_path):
    path = tmp_path / "model.onnx"
    export_full(model, path)
    run = session(path)
    for batch in (1, 2, 5):
        for length in {1, 2, model.config.ctx_len - 1, model.config.ctx_len} - {0}:
            tokens = random_tokens(model, batch, min(length, model.config.ctx_len))
            (got,) = run.run(None, {"tokens": tokens})
            assert np.abs(got - logits(model, tokens)).max() <= BAR


@pytest.mark.parametrize("batch", [1, 3])
def test_static_kv_cache_at_every_position(model, tmp_path, batch):
    path = tmp_path / "model.onnx"
    export_static_kv(model, path, batch=batch)
    run, length = session(path), model.config.ctx_len
    tokens = random_tokens(model, batch, length)
    expected = logits(model, tokens)
    # What lies behind the position is never looked at.
    rng, shape = np.random.default_rng(0), cache_shape_of(model, batch)
    keys, values = (rng.normal(0, 100, shape).astype(np.float32) for _ in range(2))
    for position in range(length):
        feeds = {"tokens": tokens[:, position], "position": np.array(position)}
        got, new_keys, new_values = run.run(None, {**feeds, "keys": keys, "values": values})
        assert np.abs(got - expected[:, position]).max() <= BAR
        others = np.arange(length) != position
        assert np.array_equal(new_keys[..., others, :], keys[..., others, :])
        assert np.array_equal(new_values[..., others, :], values[..., others, :])
        keys, values = new_keys, new_values


def test_cache_buffers_may_be_shared(tmp_path):
    """Outputs bound to the input buffers: no copy of the caches between calls."""
    import onnxruntime

    torch.manual_seed(1)
    model = MODELS["odd"]()
    path = tmp_path / "model.onnx"
    export_static_kv(model, path, check=False)
    run, tokens = session(path), random_tokens(model, 1, 20)
    expected, binding = logits(model, tokens), run.io_binding()
    caches = {
        name: onnxruntime.OrtValue.ortvalue_from_numpy(
            np.zeros(cache_shape_of(model, 1), np.float32)
        )
        for name in ("keys", "values")
    }
    for name, cache in caches.items():
        binding.bind_ortvalue_input(name, cache)
        binding.bind_ortvalue_output(f"new_{name}", cache)
    binding.bind_output("logits")
    for position in range(20):
        binding.bind_cpu_input("tokens", tokens[:, position])
        binding.bind_cpu_input("position", np.array(position))
        run.run_with_iobinding(binding)
        got = binding.get_outputs()[-1].numpy()
        assert np.abs(got - expected[:, position]).max() <= BAR


def test_bytes_of_the_caches():
    # 2 layers, 5 sequences, 3 heads, 20 positions of 8 floats; keys and values, in and out.
    assert cache_bytes(MODELS["odd"](), 5) == 2 * 5 * 3 * 20 * 8 * 4 * 4


@pytest.mark.parametrize("opset", [20, 21, 23])
@pytest.mark.parametrize("graph", [full_graph, static_kv_graph])
def test_opsets(graph, opset):
    model = graph(MODELS["gpt2"](), opset=opset)
    assert [(item.domain, item.version) for item in model.opset_import] == [("", opset)]


def test_opset_that_is_too_old():
    with pytest.raises(UserError) as error:
        full_graph(MODELS["odd"](), opset=17)
    newest = onnx.defs.onnx_opset_version()
    assert str(error.value) == f"opset must be 20 to {newest}, not 17; 20 is the default"


def test_metadata_and_weights_by_name():
    model = MODELS["odd"]()
    graph = full_graph(model, metadata={"name": "odd"})
    assert metadata(graph) == {"name": "odd"}
    stored = initializers(graph)
    weight = model.layers[1].down_proj.weight.detach().numpy()
    assert np.array_equal(stored["layers.1.down_proj.weight"], weight.T)


def test_same_model_same_bytes():
    model = MODELS["gpt2"]()
    first, second = (full_graph(model).SerializeToString(deterministic=True) for _ in range(2))
    assert first == second


def test_model_that_exceeds_a_file(monkeypatch):
    monkeypatch.setattr(onnx_graph, "MAX_BYTES", 3000)
    with pytest.raises(UserError) as error:
        full_graph(MODELS["odd"]())
    assert str(error.value) == (
        "the model's weights exceed the 3,000 bytes that an ONNX file holds; "
        "export it with --to torch"
    )


@pytest.mark.parametrize("export", [export_full, export_static_kv, export_torch])
def test_a_file_that_differs_is_not_left_behind(tmp_path, monkeypatch, export):
    exact = export_check.torch_logits
    model = MODELS["odd"]()

    def off_by_a_little(module, tokens):
        off = np.float32(1e-2) if module is model else 0
        return exact(module, tokens) + off

    for place in (
        "gateformer.model.exports.float_check.torch_logits",
        "gateformer.model.exports.torch_program.torch_logits",
    ):
        monkeypatch.setattr(place, off_by_a_little)
    path = tmp_path / "model.onnx"
    path.write_bytes(b"older")
    with pytest.raises(ToolError, match=r"^the exported file differs from its source by 0\.01 of"):
        export(model, path)
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"older"]


def test_not_a_number_is_a_difference():
    difference = export_check.Difference()
    zero = np.zeros((1, 3), np.float32)
    with pytest.raises(ToolError):
        difference.add(zero + np.nan, zero, "tokens")


def test_torch_program(model, tmp_path):
    path = tmp_path / "model.pt2"
    export_torch(model, path, metadata={"name": "some"}, check=False)
    extra = {METADATA_FILE: ""}
    program = torch.export.load(path, extra_files=extra).module()
    assert json.loads(extra[METADATA_FILE]) == {"name": "some"}
    for batch, length in {(1, 1), (3, (model.config.ctx_len + 1) // 2), (2, model.config.ctx_len)}:
        tokens = random_tokens(model, batch, length)
        assert np.abs(logits(program, tokens) - logits(model, tokens)).max() <= BAR
