"""INT8 ONNX computes the integer reference exactly, every intermediate result of it."""

import subprocess
import sys

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from gateformer.model.contract.artifact import open_model
from gateformer.model.contract.random_model import random_model
from gateformer.model.contract.windows import window_logits
from gateformer.model.exports import integer_check
from gateformer.model.exports.onnx_graph import initializers
from gateformer.model.exports.onnx_int8 import check_int8, export_int8, int8_graph, stored_weights
from gateformer.model.exports.onnx_session import session
from gateformer.model.support.errors import ToolError

from .onnx_models import MODELS, ODD, SPECS, assert_same_bytes, heavy, random_tokens


@pytest.mark.parametrize("optimized", [True, False])
@pytest.mark.parametrize("name", MODELS)
def test_every_intermediate_result_is_the_reference(name, optimized):
    model = MODELS[name]()
    tokens, taps = random_tokens(model, (3, model.config.ctx_len)), {}
    window_logits(model, tokens, taps.__setitem__)
    taps["integer_logits"] = taps.pop("logits")
    file, names = int8_graph(model), list(taps)
    file.graph.output.extend(
        helper.make_tensor_value_info(tap, TensorProto.FLOAT, None) for tap in names[:-1]
    )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    level = "ORT_ENABLE_ALL" if optimized else "ORT_DISABLE_ALL"
    options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, level)
    run = onnxruntime.InferenceSession(file.SerializeToString(), options)
    for tap, got in zip(names, run.run(names, {"tokens": tokens}), strict=True):
        if tap.endswith("scores"):
            got = np.where(np.isinf(got), taps[tap], got)
        assert np.array_equal(got, taps[tap]), tap


@pytest.mark.parametrize("name", MODELS)
def test_int8_of_any_batch_and_length(name, tmp_path):
    model, path = MODELS[name](), tmp_path / "model.onnx"
    export_int8(model, path)
    run = session(path)
    for batch, length in {(1, 1), (4, (model.config.ctx_len + 1) // 2), (2, model.config.ctx_len)}:
        tokens = random_tokens(model, (batch, length), seed=1)
        integers, nats = run.run(["integer_logits", "logits"], {"tokens": tokens})
        expected = window_logits(model, tokens)
        assert integers.dtype == np.int32
        assert np.array_equal(integers, expected)
        assert np.allclose(nats, expected * model.logit_scale, rtol=1e-6, atol=0)
        assert np.array_equal(nats.argmax(-1), expected.argmax(-1))


@pytest.mark.parametrize("opset", [21, 23, 24])
def test_opsets_in_onnxruntime(tmp_path, opset):
    export_int8(random_model(SPECS[-1]), tmp_path / "model.onnx", opset=opset)


def test_opset_that_onnxruntime_lacks(tmp_path, monkeypatch):
    from gateformer.model.exports import onnx_session

    def refuse(*_, **__):
        raise onnx_session.runtime.NotImplemented("no implementation of Gather(99)\nmore")

    monkeypatch.setattr(onnx_session.onnxruntime, "InferenceSession", refuse)
    with pytest.raises(ToolError) as error:
        export_int8(random_model(SPECS[-1]), tmp_path / "model.onnx")
    assert str(error.value) == (
        f"onnxruntime {onnxruntime.__version__} cannot load the exported file, nothing was "
        "written; choose an older --opset, or --no-check: no implementation of Gather(99)"
    )
    assert not list(tmp_path.iterdir())


def test_accumulators_of_the_heavy_model_need_float64():
    """Else the test above would not test it."""
    assert heavy().matrices["layers.0.down_proj"].acc_bound > 2**24
    casts = [node for node in int8_graph(heavy()).graph.node if node.op_type == "Cast"]
    ternary = [node for node in int8_graph(heavy(1)).graph.node if node.op_type == "Cast"]
    assert len(casts) > len(ternary)


def test_int8_weights_are_those_of_the_artifact():
    model = open_model("shakespeare-115k").model
    stored = stored_weights(int8_graph(model))
    names = {name for name in model.tensors() if not name.endswith(".mult")}
    assert set(stored) == names
    assert integer_check.check_weights(model, stored) == model.config.n_weights


@pytest.mark.parametrize("digits", range(1, 6))
def test_pairs_of_products_fit_16_bits(digits):
    """What onnxruntime adds up in 16 bits on old processors: uint8 activations, int8 weights."""
    model = random_model(f"{ODD},digits={digits}")
    stored = initializers(int8_graph(model))
    for name in model.tensors():
        array = stored.get(f"{name}.quantized")
        if array is not None and array.dtype == np.int8:
            assert 2 * 255 * np.abs(array.astype(int)).max() < 2**15
    kind = np.uint8 if digits == 5 else np.int8
    assert stored["layers.0.up_proj.weight.quantized"].dtype == kind
    assert stored["token_embedding.quantized"].dtype == np.uint8


def test_every_matrix_multiplies_dequantized_int8():
    """Quantized operands on both sides of every product, logits too."""
    graph = int8_graph(random_model(ODD)).graph
    makers = {node.output[0]: node for node in graph.node}

    def origin(name):
        while makers[name].op_type in ("Reshape", "Transpose"):
            name = makers[name].input[0]
        return makers[name].op_type

    products = [node for node in graph.node if node.op_type == "MatMul"]
    assert len(products) == 2 * 8 + 1
    for node in products:
        assert [origin(name) for name in node.input] == ["DequantizeLinear"] * 2


def test_same_model_same_bytes():
    assert_same_bytes(int8_graph)


def changed_initializer(file, name):
    (tensor,) = (tensor for tensor in file.graph.initializer if tensor.name == name)
    array = onnx.numpy_helper.to_array(tensor).copy()
    array.flat[0] += 1
    tensor.CopyFrom(onnx.numpy_helper.from_array(array, name))


@pytest.mark.parametrize(
    "name, text",
    [
        (
            "layers.1.up_proj.weight.quantized",
            r"^tensor layers.1.up_proj.weight of the exported file differs; nothing was written$",
        ),
        (
            "final_norm.gain.quantized",
            r"^tensor final_norm.gain of the exported file differs; nothing was written$",
        ),
        (
            "layers.0.o_proj.scale",
            r"^the exported file computes logit -?\d+ instead of -?\d+ at position \d+; "
            r"nothing was written$",
        ),
    ],
)
def test_a_change_is_found(tmp_path, name, text):
    model = random_model(ODD)
    file = int8_graph(model)
    changed_initializer(file, name)
    onnx.save(file, tmp_path / "changed.onnx")
    with pytest.raises(ToolError, match=text):
        check_int8(tmp_path / "changed.onnx", model)


def test_a_file_that_differs_is_not_left_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(
        integer_check, "window_logits", lambda model, tokens: window_logits(model, tokens) + 1
    )
    with pytest.raises(ToolError, match=r"^the exported file computes logit"):
        export_int8(random_model(ODD), tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


def test_integers_need_no_torch(tmp_path):
    code = (
        "import sys; sys.modules['torch'] = None; from gateformer.model.exports import export; "
        f"export.main(['{SPECS[1]}', '--to', 'onnx-int8', '--out', sys.argv[1]])"
    )
    subprocess.run([sys.executable, "-c", code, tmp_path / "model.onnx"], check=True)


def test_scales_are_exact_in_the_file():
    model = random_model(ODD)
    stored = initializers(int8_graph(model))
    for name, matrix in model.matrices.items():
        assert np.array_equal(stored[f"{name}.scale"] * 2.0**matrix.shift, matrix.mult)
