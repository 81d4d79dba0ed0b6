"""The command line of gateformer export: what it writes and says, and bad input by its message."""

import importlib.util
import json

import numpy as np
import onnx
import pytest
import torch

from gateformer.model.contract import artifact
from gateformer.model.contract.random_model import random_model
from gateformer.model.exports import export
from gateformer.model.exports.onnx_graph import metadata
from gateformer.model.exports.onnx_session import session
from gateformer.model.floating.twin import weight_shapes
from gateformer.model.support import cli, memory
from gateformer.model.support.errors import UserError
from gateformer.model.support.optional import install_command
from tests.support.checkpoints.gpt2_files import write_gpt2
from tests.support.user_error import no_integer

torch.set_num_threads(1)

SPEC = "random:d_model=24,n_heads=3,n_layers=1,d_ff=40,ctx_len=20,vocab_size=31"
MIB = 2**20


def float_weights(model, **changes):
    rng = np.random.default_rng(1)
    weights = {name: rng.normal(0, 0.3, s) for name, s in weight_shapes(model.config).items()}
    return {name: value for name, value in {**weights, **changes}.items() if value is not None}


@pytest.fixture
def save(tmp_path):
    """Writes an artifact with changed float weights (None: without it); its path."""
    path = tmp_path / "twin.safetensors"

    def write(**changes):
        model = random_model(SPEC)
        artifact.save(path, model, float_weights(model, **changes))
        return str(path)

    return write


def message(*arguments):
    with pytest.raises(UserError) as error:
        export.main([str(argument) for argument in arguments])
    return str(error.value)


@pytest.mark.parametrize("target", ["onnx", "onnx-kv", "torch"])
def test_float_targets_of_an_artifact(target, tmp_path, save, capsys):
    out = tmp_path / "model.out"
    export.main([save(), "--to", target, "--out", str(out)])
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"{out}: ")
    assert " equals " in line and "largest difference" in line
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("target", ["onnx", "onnx-kv", "torch"])
def test_targets_of_a_checkpoint(target, tmp_path, capsys):
    checkpoint, out = write_gpt2(tmp_path / "gpt2"), tmp_path / "model.out"
    export.main([str(checkpoint), "--to", target, "--out", str(out)])
    assert "largest difference" in capsys.readouterr().out


def test_integer_target_of_a_random_model(tmp_path, capsys):
    out = tmp_path / "model.onnx"
    export.main([SPEC, "--to", "onnx-int8", "--out", str(out)])
    # 20 * 2 + 1 + 10 * 3 positions of the check.
    count = random_model(SPEC).config.n_weights
    assert capsys.readouterr().out.endswith(
        f" equals the integer reference: every logit of 71 positions, {count} stored weights\n"
    )


def test_without_comparison(tmp_path, capsys):
    out = tmp_path / "model.onnx"
    export.main([SPEC, "--to", "qonnx", "--batch", "2", "--no-check", "--out", str(out)])
    assert capsys.readouterr().out == f"{out}: written, not compared\n"
    onnx.checker.check_model(onnx.load(out))


def test_metadata_of_an_artifact(tmp_path, save):
    out, model = tmp_path / "model.onnx", random_model(SPEC)
    export.main([save(), "--to", "onnx-int8", "--opset", "21", "--no-check", "--out", str(out)])
    file = onnx.load(out)
    facts = metadata(file)
    assert facts["name"] == "twin"
    assert facts["source"] == "gateformer artifact"
    assert facts["description"] == "integer model, whole sequences, QDQ, exact"
    assert facts["model_digest"] == model.digest
    assert float(facts["logit_scale"]) == model.logit_scale
    assert json.loads(facts["vocabulary"]) == list(model.vocabulary)
    assert json.loads(facts["config"]) == model.config.to_dict()
    assert file.opset_import[0].version == 21


def test_metadata_of_a_float_model_names_its_weights(tmp_path, save):
    digests = []
    for scale in (0.5, 0.7):
        gain = np.full(24, scale)
        source, out = save(**{"final_norm.gain": gain}), tmp_path / "model.onnx"
        export.main([source, "--to", "onnx", "--no-check", "--out", str(out)])
        digests.append(metadata(onnx.load(out))["weights_sha256"])
    assert len({*digests}) == 2


def test_logit_scale_of_a_float_model(tmp_path, save):
    from gateformer.model.floating.twin import FloatModel

    model, out = random_model(SPEC), tmp_path / "model.onnx"
    export.main([save(logit_scale=np.float32(2.5)), "--to", "onnx", "--out", str(out)])
    tokens = np.arange(20)[None] % 31
    expected = FloatModel(
        model.config, float_weights(model, logit_scale=np.float32(2.5)), np.float64
    )
    (got,) = session(out).run(None, {"tokens": tokens})
    assert np.abs(got - expected.logits(tokens)).max() < 1e-4


@pytest.mark.parametrize(
    "arguments, text",
    [
        (
            ["--to", "tflite"],
            "unknown target 'tflite'; expected one of onnx, onnx-kv, onnx-int8, qonnx, torch",
        ),
        (
            ["--to", "onnx", "--batch", "2"],
            "--batch is for onnx-kv and qonnx; the batch of onnx is dynamic",
        ),
        (["--to", "onnx-kv", "--batch", "0"], no_integer("--batch", "of at least 1", 0)),
        (["--to", "torch", "--opset", "20"], "--opset is for ONNX; torch has none"),
        (
            ["--to", "onnx-int8", "--opset", "13"],
            f"opset must be 20 to {onnx.defs.onnx_opset_version()}, not 13; 20 is the default",
        ),
        (
            ["--to", "onnx"],
            f"{SPEC} has no float weights, which onnx needs; its targets are onnx-int8, qonnx",
        ),
    ],
)
def test_arguments_that_do_not_fit(tmp_path, arguments, text):
    assert message(SPEC, *arguments, "--out", tmp_path / "model.onnx") == text
    assert not list(tmp_path.iterdir())


def test_integer_target_of_a_checkpoint(tmp_path):
    checkpoint = write_gpt2(tmp_path / "gpt2")
    assert message(checkpoint, "--to", "qonnx", "--out", tmp_path / "model.onnx") == (
        "gpt2 is no quantized model, which qonnx needs; its targets are onnx, onnx-kv, torch"
    )


@pytest.mark.parametrize(
    "changes, text",
    [
        (
            {"layers.0.up_proj.weight": None},
            "float weight layers.0.up_proj.weight is missing from the model",
        ),
        (
            {"final_norm.gain": np.ones(23)},
            "float weight final_norm.gain must have shape (24,), not (23,)",
        ),
        (
            {"layers.0.gate_proj.weight": np.ones((2, 2))},
            "float weight layers.0.gate_proj.weight is not supported; it is none of this model's",
        ),
    ],
)
def test_float_weights_that_do_not_fit(tmp_path, save, changes, text):
    assert message(save(**changes), "--to", "onnx", "--out", tmp_path / "model.onnx") == text
    assert not (tmp_path / "model.onnx").exists()


def test_activation_that_is_not_supported(tmp_path):
    checkpoint = write_gpt2(tmp_path / "gpt2", activation_function="relu6")
    assert message(checkpoint, "--to", "onnx", "--out", tmp_path / "model.onnx") == (
        f"{checkpoint}/config.json: activation_function 'relu6' is not supported; "
        "expected one of gelu_new, gelu_pytorch_tanh, gelu, relu, silu, swish"
    )


@pytest.mark.parametrize(
    "target, text",
    [
        # 1 layer, 2000 sequences, 3 heads, 20 positions of 8 floats; keys and values, in and out.
        ("onnx-kv", "batch 2000: comparing its KV caches needs 15 MiB"),
        # 1 layer, 2000 sequences, 3 heads, 400 pairs of positions; scores and probabilities.
        ("qonnx", "batch 2000: comparing its attention scores needs 18 MiB"),
    ],
)
def test_batch_that_exceeds_the_memory(tmp_path, save, monkeypatch, target, text):
    monkeypatch.setattr(memory, "available_bytes", lambda: 10 * MIB)
    out = tmp_path / "model.onnx"
    assert message(save(), "--to", target, "--batch", "2000", "--out", out) == (
        f"{text}, but 10 MiB of memory are available; choose a smaller --batch, or --no-check"
    )
    assert not out.exists()
    export.main([save(), "--to", target, "--batch", "2000", "--no-check", "--out", str(out)])
    assert out.exists()


def test_available_memory(monkeypatch, tmp_path):
    facts = tmp_path / "meminfo"
    facts.write_text("MemTotal:  900 kB\nMemAvailable:     123 kB\n")
    monkeypatch.setattr(memory, "MEMINFO", facts)
    assert memory.available_bytes() == 123 * 1024
    monkeypatch.setattr(memory, "MEMINFO", tmp_path / "none")
    assert memory.available_bytes() > 2**20


def test_places_that_cannot_be_written(tmp_path):
    gone = tmp_path / "gone"
    assert message(SPEC, "--to", "qonnx", "--out", gone / "model.onnx") == (
        f"directory {gone} of --out does not exist; create it first"
    )
    assert message(SPEC, "--to", "onnx-int8", "--no-check", "--out", tmp_path) == (
        f"--out {tmp_path} is a directory; name the file to write in it"
    )


@pytest.mark.parametrize(
    "target, package, doing",
    [
        ("onnx", "onnx", "exporting to onnx"),
        ("onnx", "onnxruntime", "comparing onnx with its source (not with --no-check)"),
        ("qonnx", "qonnx", "comparing qonnx with its source (not with --no-check)"),
        ("torch", "torch", "exporting to torch"),
    ],
)
def test_missing_package(tmp_path, monkeypatch, target, package, doing):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == package else find_spec(name)
    )
    assert message(SPEC, "--to", target, "--out", tmp_path / "model.onnx") == (
        f"{doing} needs {package}, which is not installed; run: {install_command('export')}"
    )


def test_interrupt_leaves_nothing(tmp_path, monkeypatch):
    from gateformer.model.exports import onnx_int8

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(onnx_int8, "check_int8", interrupt)
    with pytest.raises(SystemExit) as stop:
        cli.run(lambda: export.main([SPEC, "--to", "onnx-int8", "--out", str(tmp_path / "a.onnx")]))
    assert stop.value.code == cli.INTERRUPTED_STATUS
    assert not list(tmp_path.iterdir())
