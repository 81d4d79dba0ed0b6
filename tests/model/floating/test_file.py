"""Float checkpoints: what is written is read, and what does not fit is named."""

import json

import pytest
import safetensors.torch
import torch

from gateformer.model.contract import artifact
from gateformer.model.contract.artifact import FLOAT_FORMAT
from gateformer.model.exports.source import open_source
from gateformer.model.floating.fake_quant import (
    Scheme,
    integer_weights,
    learned_activation_steps,
    quantize_model,
)
from gateformer.model.floating.file import open_float, save_float
from gateformer.model.floating.gpt2_checkpoint import load_gpt2
from gateformer.model.floating.shape import FloatShape
from gateformer.model.support.errors import UserError
from tests.support.checkpoints.gpt2_files import write_gpt2
from tests.support.float_bench import LAYOUTS, VOCABULARY, model_of, windows


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


@pytest.mark.parametrize("name", LAYOUTS)
def test_model_comes_back(name, path):
    model, layout = model_of(name)
    save_float(path, layout, model.state_dict(), VOCABULARY, info={"by": "test"})
    source = open_float(path)
    inputs, _ = windows()
    assert torch.equal(source.model(inputs), model(inputs))
    assert source.layout.facts() == layout.facts()
    assert (source.vocabulary, source.name, source.path) == (VOCABULARY, "model", path)
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("name", ["relu", "squared relu", "gpt2"])
def test_quantized_model_comes_back_with_its_activations(name, path):
    model, layout = model_of(name)
    state = dict(model.state_dict())
    inputs, _ = windows()
    quantize_model(model, layout, Scheme(bits=4), inputs)
    integers, steps = integer_weights(model), learned_activation_steps(model, layout)
    save_float(path, layout, state, VOCABULARY, integers, steps)
    torch.testing.assert_close(open_float(path).model(inputs), model(inputs))
    plain = open_float(path, activations=False).model
    assert not torch.allclose(plain(inputs), model(inputs), atol=1e-4)
    assert set(plain.state_dict()) == set(state)
    stored = safetensors.torch.load_file(path)
    assert stored["layers.0.up_proj.weight"].dtype == torch.int8
    assert stored["layers.0.up_proj.weight"].abs().max() <= 7


def test_shipped_model_has_a_float_twin():
    source = open_float("shakespeare-115k")
    assert source.layout.shape == FloatShape(128, 64, 2, 32, 2, 256, 128)
    assert source.sha256 == artifact.open_model("shakespeare-115k").sha256


@pytest.mark.parametrize("name", ["gpt2", "wide heads", "squared relu"])
@pytest.mark.parametrize("target", ["onnx", "onnx-kv"])
def test_checkpoint_is_exported(name, target, path, capsys):
    for package in ("onnx", "onnxruntime"):
        pytest.importorskip(package, reason="the export extra installs it")
    from gateformer.model.exports import export

    model, layout = model_of(name)
    save_float(path, layout, model.state_dict(), VOCABULARY)
    assert open_source(str(path)).facts["source"] == "gateformer float checkpoint"
    out = path.with_name("out.onnx")
    export.main([str(path), "--to", target, "--out", str(out)])
    assert out.exists()


def test_gpt2_checkpoint_of_characters(tmp_path):
    directory = write_gpt2(tmp_path / "gpt2")
    expected = load_gpt2(directory / "config.json", directory / "model.safetensors")
    size = expected.config.vocab_size
    vocabulary = directory / "vocab.json"
    vocabulary.write_text(json.dumps({chr(97 + number): number for number in range(size)}))
    source = open_float(directory)
    inputs = torch.arange(10)[None] % size
    assert torch.equal(source.model(inputs), expected(inputs))
    assert source.vocabulary[:3] == ("a", "b", "c")
    assert source.layout.architecture == "gpt2"
    for content, message in (
        ({"a": 0}, f"{vocabulary} has 1 tokens, but the model has {size}"),
        ({"ab": 0}, "vocabulary entry 0 must be one character, not 'ab'"),
    ):
        vocabulary.write_text(json.dumps(content))
        with pytest.raises(UserError) as error:
            open_float(directory)
        assert str(error.value) == message
    vocabulary.unlink()
    with pytest.raises(UserError) as error:
        open_float(directory)
    assert str(error.value) == f"{directory} has no vocab.json; compression needs the characters"


def rewritten(path, change, facts_change=lambda facts: facts):
    """The checkpoint at ``path`` with its tensors and facts changed."""
    tensors = safetensors.torch.load_file(path)
    with safetensors.safe_open(path, "pt") as file:
        facts = json.loads(file.metadata()[FLOAT_FORMAT])
    change(tensors)
    facts_change(facts)
    safetensors.torch.save_file(tensors, path, {FLOAT_FORMAT: json.dumps(facts)})


def test_missing_weight_and_wrong_shape_are_named(path):
    model, layout = model_of("gpt2")
    save_float(path, layout, model.state_dict(), VOCABULARY)
    rewritten(path, lambda tensors: tensors.update({"layers.1.up_proj.bias": torch.zeros(5)}))
    with pytest.raises(UserError) as error:
        open_float(path)
    assert str(error.value) == (
        f"{path}: float weight layers.1.up_proj.bias must have shape (32,), not (5,)"
    )
    rewritten(path, lambda tensors: tensors.pop("layers.1.up_proj.bias"))
    with pytest.raises(UserError) as error:
        open_float(path)
    assert str(error.value) == f"{path}: float weight layers.1.up_proj.bias is missing"


@pytest.mark.parametrize(
    "change, message",
    [
        (
            lambda facts: facts.pop("vocabulary"),
            "vocabulary is missing; add it, or get the file from its source again",
        ),
        (
            lambda facts: facts.update(architecture="llama"),
            "architecture must be one of squared-relu, relu, gpt2, not 'llama'",
        ),
    ],
)
def test_damaged_facts(path, change, message):
    model, layout = model_of("gpt2")
    save_float(path, layout, model.state_dict(), VOCABULARY)
    rewritten(path, lambda tensors: None, change)
    with pytest.raises(UserError) as error:
        open_float(path)
    assert str(error.value) == f"{path}: {message}"


@pytest.mark.parametrize(
    "change, message",
    [
        ({"n_heads": 0}, "n_heads must be an integer of at least 1, not 0"),
        ({"d_ff": None}, "d_ff must be an integer of at least 1, not None"),
        ({"depth": 3}, "size 'depth' of the float model is unknown"),
    ],
)
def test_bad_shape(change, message):
    sizes = {**vars(FloatShape(128, 20, 2, 12, 2, 28, 16)), **change}
    with pytest.raises(UserError) as error:
        FloatShape.from_dict(sizes)
    assert str(error.value) == message
    del sizes["d_model"]
    with pytest.raises(UserError) as error:
        FloatShape.from_dict({key: value for key, value in sizes.items() if key != "depth"})
    assert str(error.value) == "size 'd_model' of the float model is missing"


def test_missing_file_and_unwritable_place(tmp_path):
    with pytest.raises(UserError) as error:
        open_float(tmp_path / "no.safetensors")
    assert str(error.value) == (
        f"{tmp_path / 'no.safetensors'} does not exist; expected an artifact (.safetensors)"
    )
    model, layout = model_of("relu")
    with pytest.raises(UserError) as error:
        save_float(tmp_path, layout, model.state_dict(), VOCABULARY)
    assert str(error.value) == f"cannot write {tmp_path}: it is a directory"
    assert not list(tmp_path.iterdir())
