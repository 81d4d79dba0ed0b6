"""QONNX computes the integer reference exactly, by its executor."""

import onnx
import pytest
from onnx import helper

from gateformer.model.contract import arith
from gateformer.model.contract.random_model import random_model
from gateformer.model.exports import integer_check
from gateformer.model.exports.onnx_quantizers import QONNX, QONNX_DOMAIN, range_of
from gateformer.model.exports.qonnx import export_qonnx, qonnx_graph, quantized_weights, score_bytes

from .onnx_models import MODELS, ODD, SPECS, assert_same_bytes


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


def test_same_model_same_bytes():
    assert_same_bytes(qonnx_graph)
