"""INT8 ONNX and QONNX compute the integer reference exactly, every intermediate result of it."""

import dataclasses
import subprocess
import sys

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from model import arith, integer_check
from model.artifact import open_model
from model.errors import ToolError
from model.onnx_graph import initializers
from model.onnx_int8 import check_int8, export_int8, int8_graph, stored_weights
from model.onnx_qonnx import export_qonnx, qonnx_graph, quantized_weights, score_bytes
from model.onnx_quantizers import QONNX, QONNX_DOMAIN, range_of
from model.onnx_session import session
from model.random_model import random_model
from model.windows import window_logits

ODD = "random:d_model=24,n_heads=3,d_ff=40,ctx_len=20,vocab_size=31"
MIXED = "random:d_model=6,n_heads=2,n_layers=1,d_ff=7,ctx_len=5,vocab_size=9,digits=4,"
SPECS = [
    ODD,
    "random:d_model=1,n_heads=1,n_layers=1,d_ff=1,ctx_len=1,vocab_size=1",
    "random:seed=2,d_model=36,n_heads=3,d_ff=50,n_layers=3,ctx_len=17,vocab_size=11,digits=5",
    "random:seed=3,d_model=20,n_heads=4,digits=3,digits.up_proj=2,ctx_len=40",
    f"{MIXED}digits.q_proj=1,digits.up_proj=2",
]


def loud(model):
    """Residual vectors from all zeros to saturation."""
    rng = np.random.default_rng(0)
    embeddings = {}
    for name in ("token_embedding", "position_embedding"):
        array = getattr(model, name).copy()
        array[0] = 0
        array[1:] = array[1:] * rng.choice([0, 1, 3, 100], size=(len(array) - 1, 1))
        embeddings[name] = array.clip(-127, 127)
    return dataclasses.replace(model, **embeddings, token_mult=255, position_mult=255)


def heavy(digits=5):
    """Sums of products beyond 2**24: all weights and most activations at their largest."""
    model = random_model(
        f"random:d_model=4,n_heads=1,n_layers=1,d_ff=2500,ctx_len=6,vocab_size=7,digits={digits}"
    )
    largest = arith.max_weight(digits)
    matrices = {
        name: dataclasses.replace(
            matrix,
            weight=np.where(np.arange(len(matrix.weight))[:, None] % 3 == 2, -largest, largest)
            + 0 * matrix.weight,
            mult=np.full_like(matrix.mult, 255),
            shift=9,
        )
        for name, matrix in model.matrices.items()
    }
    return dataclasses.replace(model, matrices=matrices)


MODELS = {
    "shipped": lambda: open_model("shakespeare-115k").model,
    **{spec: lambda spec=spec: random_model(spec) for spec in SPECS},
    "loud": lambda: loud(random_model(ODD)),
    "heavy": heavy,
    "heavy, ternary": lambda: heavy(1),
}


def random_tokens(model, shape, seed=0):
    return np.random.default_rng(seed).integers(model.config.vocab_size, size=shape)


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


@pytest.mark.parametrize("name", ["shipped", ODD, SPECS[-1]])
def test_qonnx_by_its_executor(name, tmp_path):
    pytest.importorskip("qonnx")
    model, path = MODELS[name](), tmp_path / "model.onnx"
    line = export_qonnx(model, path)
    assert "equals the integer reference: every logit of" in line
    assert integer_check.check_weights(model, quantized_weights(path)) == model.config.n_weights


def test_qonnx_quantizers():
    graph = qonnx_graph(random_model(SPECS[-1]), batch=2).graph
    makers = {node.output[0]: node for node in graph.node}
    constants = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}

    def quantizer(name):
        node = makers[name]
        assert (node.op_type, node.domain) == ("Quant", QONNX_DOMAIN)
        attributes = {item.name: helper.get_attribute_value(item) for item in node.attribute}
        scale, zero, bits = (float(constants[name]) for name in node.input[1:])
        assert (scale, zero) == (1, 0)
        return bits, attributes["signed"], attributes["narrow"], attributes["rounding_mode"]

    layer = "layers.0."
    assert quantizer(f"{layer}q_proj.weight") == (2, 1, 1, b"ROUND")
    assert quantizer(f"{layer}up_proj.weight") == (4, 1, 1, b"ROUND")
    assert quantizer(f"{layer}down_proj.weight") == (7, 1, 1, b"ROUND")
    assert quantizer("embed") == (16, 1, 1, b"FLOOR")
    assert quantizer(f"{layer}attn_norm") == (8, 1, 1, b"FLOOR")
    assert quantizer(f"{layer}ffn_hidden") == (7, 0, 0, b"FLOOR")
    assert quantizer(f"{layer}probabilities") == (8, 0, 0, b"FLOOR")


def test_qonnx_shapes_are_all_written_down():
    model = qonnx_graph(random_model(ODD), batch=2)
    known = {
        info.name: [dim.dim_value for dim in info.type.tensor_type.shape.dim]
        for info in [*model.graph.value_info, *model.graph.input, *model.graph.output]
    }
    for node in model.graph.node:
        for name in node.output:
            assert 0 not in known[name], name
    assert known["tokens"] == [2, 20]
    assert known["layers.1.probabilities"] == [2, 3, 20, 20]
    assert known["logits"] == [2, 20, 31]


@pytest.mark.parametrize("digits", range(1, 6))
def test_bits_of_weights_hold_all_digits(digits):
    bound = arith.max_weight(digits)
    bits = QONNX.bits(-bound, bound)
    assert range_of(bits - 1, signed=True)[1] < bound <= range_of(bits, signed=True)[1]
    assert bits == (2, 4, 5, 7, 8)[digits - 1]


def test_bytes_of_scores():
    assert score_bytes(random_model(ODD), 5) == 2 * 4 * 2 * 5 * 3 * 20 * 20


@pytest.mark.parametrize("graph", [int8_graph, qonnx_graph])
def test_same_model_same_bytes(graph):
    model = random_model(ODD)
    first, second = (graph(model).SerializeToString(deterministic=True) for _ in range(2))
    assert first == second


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
        "import sys; sys.modules['torch'] = None; from model import export; "
        f"export.main(['{SPECS[1]}', '--to', 'onnx-int8', '--out', sys.argv[1]])"
    )
    subprocess.run([sys.executable, "-c", code, tmp_path / "model.onnx"], check=True)


def test_scales_are_exact_in_the_file():
    model = random_model(ODD)
    stored = initializers(int8_graph(model))
    for name, matrix in model.matrices.items():
        assert np.array_equal(stored[f"{name}.scale"] * 2.0**matrix.shift, matrix.mult)
