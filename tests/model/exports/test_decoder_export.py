"""Decoders of contract version 2 in ONNX: every target computes what the integers' floats do."""

import json

import numpy as np
import onnx
import pytest
import torch

from gateformer.model.contract import artifact
from gateformer.model.exports import export
from gateformer.model.exports.onnx_decoder import (
    export_qdq,
    export_qonnx_decoder,
    least_opset,
    qdq_graph,
)
from gateformer.model.exports.onnx_float import export_full, export_static_kv
from gateformer.model.exports.onnx_graph import initializers, metadata
from gateformer.model.exports.onnx_session import session
from gateformer.model.floating.decoder import FloatDecoder
from gateformer.model.floating.dequantized import dequantize
from gateformer.model.floating.torch_decoder import TorchDecoder
from gateformer.model.importing.calibration import calibrate
from gateformer.model.importing.choice import Choice
from gateformer.model.importing.quantizing import quantize
from gateformer.model.importing.vocabulary import kept
from gateformer.model.support.errors import UserError
from gateformer.model.text.codec import TextCodec
from tests.model.importing.random_source import random_source, random_windows
from tests.model.importing.test_native import blocks_of
from tests.support.checkpoints import decoder_files, llama2c_files
from tests.support.checkpoints.gpt2_files import write_gpt2
from tests.support.decoder_choices import named, shapes

torch.set_num_threads(1)
FORMATS = ("int8", "int6", "int4", "trits:1", "trits:2", "trits:5")
BLOCKS = ((4, 32, True), (4, 32, False), (5, 16, True), (8, 32, False))
"""bits, group, minimum"""
CHARACTERS = [chr(0x41 + i) for i in range(61)]


def quantized(weights="int8", blocks=None, **fields):
    """A DecoderModel; ``blocks``: of native weights, as in BLOCKS."""
    source = random_source(3, **fields)
    if blocks is not None:
        for name, tensor in source.tensors.items():
            if name.endswith("_proj") or name in ("token_embedding", "lm_head"):
                source.tensors[name] = blocks_of(tensor, *blocks)
    ranges = calibrate(FloatDecoder(source), random_windows(1, source, 3))
    choice = Choice(weights=weights, **({"head": weights} if blocks else {}))
    vocabulary = kept(TextCodec.of_characters(CHARACTERS))
    return quantize(source, ranges, choice, vocabulary=vocabulary)


def expected(made, tokens):
    """Logits of the floats that the integers stand for."""
    return FloatDecoder(made.source("made")).logits(tokens)


def assert_close(got, wanted):
    assert np.abs(wanted).max() > 0.5
    assert np.abs(got - wanted).max() <= 1e-4 * max(1, np.abs(wanted).max())


def tokens_of(made, batch):
    shape = (batch, made.shape.ctx_len)
    return np.random.default_rng(11).integers(made.shape.vocab_size, size=shape)


def run(path, tokens):
    return session(path).run(["logits"], {"tokens": tokens})[0]


@pytest.mark.parametrize("fields", shapes(), ids=named)
def test_whole_sequences(fields, tmp_path):
    made, path = dequantize(quantized(**fields)), tmp_path / "a.onnx"
    export_full(TorchDecoder.from_tensors(made.shape, made.tensors), path)
    tokens = tokens_of(made, 2)
    assert_close(run(path, tokens), expected(made, tokens))
    assert_close(run(path, tokens[:1, :5]), expected(made, tokens[:1, :5]))


@pytest.mark.parametrize("fields", shapes(), ids=named)
def test_one_token_per_call(fields, tmp_path):
    made, path = dequantize(quantized(**fields)), tmp_path / "a.onnx"
    model, shape = TorchDecoder.from_tensors(made.shape, made.tensors), made.shape
    export_static_kv(model, path, batch=2, check=False)
    tokens = tokens_of(made, 2)
    wanted, step = expected(made, tokens), session(path)
    cache = (shape.n_layers, 2, shape.n_kv_heads, shape.ctx_len, shape.head_dim)
    keys, values = np.zeros(cache, np.float32), np.zeros(cache, np.float32)
    for i in range(shape.ctx_len):
        feeds = {"tokens": tokens[:, i], "position": np.array(i), "keys": keys, "values": values}
        logits, keys, values = step.run(["logits", "new_keys", "new_values"], feeds)
        assert_close(logits, wanted[:, i])


@pytest.mark.parametrize("fields", shapes(), ids=named)
def test_qdq_of_every_shape(fields, tmp_path):
    made, path = dequantize(quantized(**fields)), tmp_path / "a.onnx"
    export_qdq(made, path)
    tokens = tokens_of(made, 2)
    assert_close(run(path, tokens), expected(made, tokens))


CODES = [(text, None) for text in FORMATS] + [("native", blocks) for blocks in BLOCKS]


@pytest.mark.parametrize("weights, blocks", CODES, ids=str)
def test_qdq_of_every_format(weights, blocks, tmp_path):
    model = quantized(weights, blocks, d_model=64, n_heads=4)
    made, path = dequantize(model), tmp_path / "a.onnx"
    said = export_qdq(made, path)
    assert " equals torch: " in said
    tokens = tokens_of(made, 2)
    assert_close(run(path, tokens), expected(made, tokens))
    stored = initializers(onnx.load(path))
    for name, matrix in model.matrices.items():
        codes = stored[f"{name}.quantized"]
        assert np.array_equal(codes.astype(np.int16), matrix.codes), name
        four = matrix.format.kind != "trits" and matrix.format.bits == 4
        assert (codes.dtype.itemsize == 1) and ("int4" in str(codes.dtype)) == four


@pytest.mark.parametrize("weights, blocks", CODES, ids=str)
def test_qonnx_of_every_format(weights, blocks, tmp_path):
    qonnx = pytest.importorskip("qonnx.core.modelwrapper")
    from qonnx.core.onnx_exec import execute_onnx

    model = quantized(weights, blocks, d_model=64, n_heads=4, n_layers=1, ctx_len=9)
    made, path = dequantize(model), tmp_path / "a.onnx"
    export_qonnx_decoder(made, path, batch=2, check=False)
    tokens = tokens_of(made, 2)
    wrapper = qonnx.ModelWrapper(str(path))
    got = execute_onnx(wrapper, {"tokens": tokens})["logits"]
    assert_close(got, expected(made, tokens))
    bits = {"trits:1": 2, "trits:2": 4, "trits:5": 8, "int8": 8, "int6": 6, "int4": 4}
    wanted = blocks[0] if blocks else bits[weights]
    (node,) = (n for n in wrapper.graph.node if n.input[0] == "layers.0.up_proj.floats")
    assert node.op_type == "Quant" and wrapper.get_initializer(node.input[3]) == wanted


def test_qonnx_of_the_whole_context_is_checked(tmp_path):
    pytest.importorskip("qonnx")
    model = quantized(n_layers=1, ctx_len=7, norm="layer", norm_bias=True, positions="learned")
    said = export_qonnx_decoder(dequantize(model), tmp_path / "a.onnx", batch=3)
    assert said.startswith("qonnx ") and said.endswith(", 21 positions")


def test_rows_and_groups_without_weights(tmp_path):
    """A scale of 0 makes no number that is not finite."""
    pytest.importorskip("qonnx")
    source = random_source(3, n_layers=1, ctx_len=7)
    for name in ("layers.0.up_proj", "layers.0.gate_proj"):
        blocks = source.tensors[name] = blocks_of(source.tensors[name], 4, 16, False)
        blocks.scale[5], blocks.scale[7, 1] = 0, 0
    ranges = calibrate(FloatDecoder(source), random_windows(1, source, 3))
    made = dequantize(quantize(source, ranges, Choice(weights="native")))
    export_qonnx_decoder(made, tmp_path / "a.onnx")
    export_qdq(made, tmp_path / "b.onnx")


def test_groups_need_a_newer_opset(tmp_path):
    made, path = dequantize(quantized("native", (4, 32, True))), tmp_path / "a.onnx"
    assert least_opset(made) == 21
    with pytest.raises(UserError) as refused:
        export_qdq(made, path, opset=20)
    assert str(refused.value) == (
        "token_embedding has weights of format block:4:32:min, whose scales per group take ONNX "
        "opset 21, not 20; leave --opset out"
    )
    assert not path.exists()


def test_four_bits_per_row_are_bytes_before_opset_21():
    made = dequantize(quantized("int4"))
    model = TorchDecoder.from_tensors(made.shape, made.tensors)
    old, new = (
        initializers(qdq_graph(made, model, opset=opset))["layers.0.q_proj.quantized"]
        for opset in (20, None)
    )
    assert old.dtype == np.int8 and np.array_equal(old, new.astype(np.int8))


@pytest.mark.parametrize("opset", [20, 21, 23])
@pytest.mark.parametrize("weights", ["int8", "trits:4"])
def test_onnxruntime_keeps_activations_as_floats_in_every_opset(opset, weights, tmp_path):
    made = dequantize(quantized(weights, tied_head=False))
    assert " equals torch: " in export_qdq(made, tmp_path / "a.onnx", opset=opset)


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "mine.safetensors"
    artifact.save(path, quantized(n_layers=1, ctx_len=9))
    return path


@pytest.mark.parametrize("target", export.TARGETS)
def test_every_target_of_an_artifact(saved, tmp_path, capsys, target):
    if target == "qonnx":
        pytest.importorskip("qonnx")
    out = tmp_path / "a.out"
    export.main([str(saved), "--to", target, "--out", str(out)])
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"{out}: ") and " equals " in line
    assert line.endswith("; integer weights, float activations") == (
        target in ("onnx-int8", "qonnx")
    )
    if target != "torch":
        facts, model = metadata(onnx.load(out)), artifact.load(saved).model
        assert facts["model_digest"] == model.digest and facts["name"] == "mine"
        assert json.loads(facts["config"]) == model.config.to_dict()
        assert json.loads(facts["vocabulary"]) == CHARACTERS
        assert "float" in facts["description"]


def test_silu_of_a_gpt2(tmp_path, capsys):
    checkpoint = write_gpt2(tmp_path / "gpt2", activation_function="silu")
    export.main([str(checkpoint), "--to", "onnx", "--out", str(tmp_path / "a.onnx")])
    assert "equals torch: largest difference" in capsys.readouterr().out


def test_a_directory_of_llama_type(tmp_path):
    """What onnxruntime computes of it is what transformers does."""
    pytest.importorskip("transformers")
    model = decoder_files.llama_model()
    source, out = decoder_files.save(model, tmp_path / "llama"), tmp_path / "a.onnx"
    tokens, wanted = decoder_files.tokens_and_logits(model)
    export.main([str(source), "--to", "onnx", "--out", str(out)])
    assert_close(run(out, tokens), wanted)
    facts = metadata(onnx.load(out))
    assert facts["source"] == "Hugging Face directory"
    assert json.loads(facts["config"])["positions"] == "rotary"
    with pytest.raises(UserError, match=r"^llama is no quantized model, which qonnx needs; its"):
        export.main([str(source), "--to", "qonnx", "--out", str(out)])


def test_a_llama2c_file(tmp_path, capsys):
    weights = llama2c_files.random_weights()
    path = llama2c_files.write(tmp_path / "stories.bin", weights, version=0, shared=False)
    export.main([str(path), "--to", "onnx-kv", "--out", str(tmp_path / "a.onnx")])
    assert "equals torch: largest difference" in capsys.readouterr().out
