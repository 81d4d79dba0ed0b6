"""gateformer compress from its command line: every method, both architectures, and bad input."""

import math
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from gateformer.model.compression import compress, train_float
from gateformer.model.compression.result import GATES, Losses, Result, load_results
from gateformer.model.contract import artifact
from gateformer.model.contract.integer_model import IntegerModel
from gateformer.model.contract.windows import cross_entropy, validation_windows, window_logits
from gateformer.model.floating.file import open_float
from gateformer.model.floating.shape import FloatShape
from gateformer.model.support import cli
from gateformer.model.support.errors import UserError
from tests.model.training.test_train import interrupt_after
from tests.support.float_bench import LAYOUTS, TEXT, Bench
from tests.support.user_error import no_integer

TRAINED = {
    "qat": {"bits": 4},
    "prune": {"rounds": 2},
    "remove": {"heads": 1, "units": 4},
    "finetune": {},
}


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


@pytest.mark.parametrize("name", ["relu", "gpt2", "squared relu"])
@pytest.mark.parametrize("method", TRAINED)
def test_trained_method(bench, method, name):
    """The figures are those of the file that is written, and training has lowered the loss."""
    out = bench.directory / "out.safetensors"
    options = {**TRAINED[method], "out": out, "batch": 4, "lr": 3e-3}
    untrained = bench.run(method, name, **options, steps=0)
    result = bench.run(method, name, **options, steps=12)
    assert result.losses[0].loss < untrained.losses[0].loss
    assert result.losses[0].float_loss == untrained.losses[0].float_loss
    assert result.n_bytes <= result.float_bytes
    assert load_results(bench.directory / "results") == [result]
    again = bench.run("ptq", name, out=bench.directory / "8.safetensors")
    reopened = open_float(out)
    assert reopened.vocabulary == open_float(bench.source(name)).vocabulary
    assert again.losses[0].float_loss == result.losses[0].float_loss
    tokens = np.array([reopened.vocabulary.index(c) for c in TEXT[int(0.9 * len(TEXT)) :]])
    inputs, targets = validation_windows(tokens, 16)
    with torch.no_grad():
        logits = reopened.model(torch.from_numpy(inputs)).numpy()
    assert result.losses[0].loss == pytest.approx(cross_entropy(logits, targets), abs=1e-4)


def test_pruned_file_has_the_zeros(bench):
    out = bench.directory / "out.safetensors"
    result = bench.run("prune", fraction=0.75, scope="layer", steps=3, batch=4, out=out)
    source = open_float(out)
    state = source.model.state_dict()
    zeros = [(state[f"{name}.weight"] == 0).float().mean() for name in source.layout.matrices]
    assert zeros == [0.75] * len(source.layout.matrices)
    values = sum((tensor != 0).sum().item() for tensor in state.values())
    masks = sum(state[f"{name}.weight"].numel() for name in source.layout.matrices)
    assert result.n_bytes == 4 * values + masks // 8


def test_removed_file_has_the_smaller_shape(bench):
    out = bench.directory / "out.safetensors"
    result = bench.run("remove", "gpt2", heads=1, units=12, steps=0, out=out)
    assert open_float(out).layout.shape == FloatShape(128, 24, 2, 8, 2, 20, 16)
    assert (result.config, result.gate) == (None, None)
    assert result.gateware == "no: the gateware has RMSNorm and ReLU without biases, this is GPT-2"
    result = bench.run("remove", units=12, steps=0, out=out)
    assert result.config["d_ff"] == 20
    assert result.gateware == "its shape, after `integer`"


@pytest.mark.parametrize("options", [{"granularity": "tensor"}, {}, {"observer": "max"}])
def test_int8_without_training(bench, options):
    result = bench.run("ptq", **options)
    assert abs(math.log(result.losses[0].perplexity_ratio)) < 0.02
    assert result.gate == (None if "granularity" in options else "int8-ptq")
    assert 3 < result.float_bytes / result.n_bytes < 4
    assert result.agreement["argmax"] > 0.8
    assert len(result.agreement["by_position"]) == 8
    assert result.agreement["greedy"] == pytest.approx(
        np.mean(result.agreement["by_position"]), abs=1e-4
    )


@pytest.mark.parametrize("steps, digits, gate", [(0, "5", None), (4, "1", "ternary-qat")])
def test_integers_are_an_artifact(bench, steps, digits, gate):
    out = bench.directory / "out.safetensors"
    result = bench.run("integer", digits=digits, steps=steps, batch=4, out=out)
    model = artifact.load(out).model
    assert isinstance(model, IntegerModel)
    assert result.config == model.config.to_dict()
    assert (result.gate, result.gateware) == (gate, "yes: this artifact, bit for bit")
    tokens = np.array([model.vocabulary.index(c) for c in TEXT[int(0.9 * len(TEXT)) :]])
    inputs, targets = validation_windows(tokens, 16)
    logits = window_logits(model, inputs) * model.logit_scale
    assert result.losses[0].loss == pytest.approx(cross_entropy(logits, targets), abs=1e-5)
    measured = compress.run(
        [
            *("measure", str(out), "--corpus", str(bench.corpus), "--name", "again"),
            *("--results", str(bench.directory / "results"), "--runs", str(bench.directory)),
        ]
    )
    assert measured.losses[0].loss == pytest.approx(result.losses[0].loss)
    assert (measured.gate, measured.n_bytes) == (gate, result.n_bytes)


def test_smaller_float_model_becomes_integers(bench):
    small, out = (bench.directory / f"{name}.safetensors" for name in ("small", "out"))
    bench.run("remove", units=12, steps=0, out=small)
    arguments = bench.arguments("integer", steps=3, batch=4, out=out)
    arguments[1] = str(small)
    compress.run(arguments)
    assert artifact.load(out).model.config.d_ff == 20


def test_other_text_and_fewer_windows(bench):
    other = bench.directory / "other.txt"
    other.write_text("ten sheep — and no goats. " * 20)
    result = bench.run("ptq", windows=3, also=other)
    first, second = result.losses
    assert (first.text, first.windows, first.left_out) == ("corpus.txt", 3, 0)
    assert (second.text, second.windows, second.left_out) == ("other.txt", 3, 20)
    assert second.loss != first.loss
    assert result.gate is None


def test_calibration_text_is_used(bench):
    other = bench.directory / "other.txt"
    other.write_text("0" * 100)
    default, other = (bench.run("ptq", **options) for options in ({}, {"calibration": other}))
    assert default.losses[0].loss != other.losses[0].loss
    assert other.settings["calibration"] == "other.txt"


@pytest.mark.parametrize("method, number", [("prune", 7), ("qat", 3), ("remove", 2)])
def test_interrupted_run_continues_to_the_same_result(bench, monkeypatch, capsys, method, number):
    options = {**TRAINED[method], "steps": 5, "batch": 4, "seed": 3}
    whole = bench.run(method, **options, runs=bench.directory / "others")
    with monkeypatch.context() as patch:
        interrupt_after(patch, number)
        arguments = bench.arguments(method, **options)
        assert compress.main(arguments) == cli.INTERRUPTED_STATUS
    assert capsys.readouterr().err.endswith(
        f"{method}: stopped after step {(number - 1) % 5 + 1} of 5; the same command continues "
        "from there\n"
    )
    assert bench.run(method, **options).losses == whole.losses


@pytest.mark.parametrize("option", ["teacher", "calibration"])
def test_what_another_file_holds_decides_the_run(bench, option):
    """Not its name: a run must not go on from a checkpoint that another teacher made."""
    path = bench.directory / "other"
    contents = [bench.source(name).read_bytes() for name in ("relu", "gpt2")]
    if option == "calibration":
        contents = [b"0123" * 9, b"sheep" * 9]
    losses = []
    for content in contents:
        path.write_bytes(content)
        losses.append(bench.run("qat", steps=2, batch=4, **{option: path}).losses[0].loss)
    assert losses[0] != losses[1]
    assert len(list((bench.directory / "runs").iterdir())) == 2


def test_printed_figures(bench, capsys):
    assert compress.main(bench.arguments("ptq", name="mine")) is None
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "mine:"
    assert lines[1].startswith("  corpus.txt: ")
    assert lines[-2].startswith("  gateware: no: sums, norms and softmax are float")
    assert lines[-1] == "  gate passed: at most +2% for INT8 after training, one step per row"
    result = Result.load(bench.directory / "results/mine.json")
    assert "/" not in result.command.replace("--", "")


def test_gate_is_the_ratio_of_perplexities():
    losses = [Losses("text", 1, math.log(1.05) + 1, 1.0)]
    facts = dict.fromkeys(("name", "method", "command", "gateware", "torch"), "")
    facts |= dict(settings={}, source={}, n_bytes=1, float_bytes=1, agreement={}, config=None)
    verdicts = [Result(**facts, losses=losses, gate=gate).passed for gate in ("int4-qat", None)]
    assert verdicts == [True, None]
    assert Result(**facts, losses=losses, gate="int8-ptq").passed is False


@pytest.mark.parametrize(
    "method, options, message",
    [
        (
            "quantize", {},
            "unknown method 'quantize'; expected one of ptq, qat, integer, prune, remove, measure, "
            "finetune",
        ),
        (
            "ptq", {"calibration": "short.txt"},
            "calibration text short.txt has 16 characters, but one window needs 17; "
            "give a longer text",
        ),
        (
            "ptq", {"calibration": "strange.txt"},
            "character 'Ω' at line 1, column 4 of strange.txt is not in the vocabulary, which has "
            "' ', '.', '0'-'9', 'a', 'd'-'e', 'g'-'h', 'n'-'p', 's'-'t'",
        ),
        ("prune", {"fraction": 1.5}, "pruning fraction must be between 0 and 1, not 1.5"),
        (
            "remove", {"heads": 3},
            "cannot remove 3 of 3 heads of each layer: the last head must stay; remove at most 2",
        ),
        ("qat", {"bits": 16}, no_integer("--bits", "from 2 to 8", 16)),
        ("qat", {"steps": -1}, no_integer("--steps", "from 0 to 1000000000", -1)),
        ("qat", {"lr": 0}, "lr must be a positive number, not 0"),
        ("integer", {}, "integer writes an artifact; give its name with --out FILE"),
        (
            "integer", {"out": "a.safetensors", "digits": "x"},
            "digits must be a number or 'matrix=number,…', not 'x'; for example --digits "
            "down_proj=2",
        ),
        ("finetune", {"threads": 0}, no_integer("--threads", "from 1 to 256", 0)),
        ("finetune", {"windows": -1}, no_integer("--windows", "from 0 to 1000000000", -1)),
        (
            "ptq", {"out": "no/a.safetensors"},
            "directory no of --out does not exist; create it first",
        ),
        (
            "ptq", {"results": "corpus.txt"},
            "corpus.txt is a file, where a directory is needed; name another",
        ),
        ("ptq", {"steps": 3}, "unrecognized arguments: --steps 3; see --help"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line(bench, monkeypatch, capsys, method, options, message):
    monkeypatch.chdir(bench.directory)
    Path("short.txt").write_text(TEXT[:16])
    Path("strange.txt").write_text("0 aΩ" * 10)
    with pytest.raises(SystemExit) as stop:
        cli.run(lambda: compress.main(bench.arguments(method, **options)))
    assert stop.value.code == 2
    assert capsys.readouterr().err == f"error: {message}\n"
    assert not Path("results").exists() and not Path("runs").exists()


@pytest.mark.parametrize("name", ["gpt2", "squared-relu"])
def test_integers_need_the_gatewares_architecture(bench, name):
    with pytest.raises(UserError) as error:
        bench.run("integer", name, out=bench.directory / "out.safetensors")
    assert str(error.value) == (
        f"{name} has architecture {name}, but the gateware's integers need relu; use ptq or qat"
    )


def test_float_training_makes_a_source(bench, monkeypatch):
    """Trains a small GPT-2; interrupted training gives the same model."""
    from gateformer.model.floating import presets as float_presets

    monkeypatch.setitem(float_presets.PRESETS, "tiny", LAYOUTS["gpt2"])

    def arguments(out, runs):
        parts = ("--preset", "tiny", "--corpus", bench.corpus, "--steps", 8, "--batch", 4)
        return [str(part) for part in (*parts, "--out", out, "--runs", bench.directory / runs)]

    whole, halves = (bench.directory / f"{name}.safetensors" for name in ("whole", "halves"))
    assert train_float.main(arguments(whole, "a")) is None
    with monkeypatch.context() as patch:
        interrupt_after(patch, 5)
        assert train_float.main(arguments(halves, "b")) == cli.INTERRUPTED_STATUS
    assert not halves.exists()
    assert train_float.main(arguments(halves, "b")) is None
    assert whole.read_bytes() == halves.read_bytes()
    with pytest.raises(UserError) as error:
        train_float.main(["--preset", "huge", "--out", str(whole)])
    assert str(error.value) == (
        "no preset 'huge'; the presets are: shakespeare-relu, shakespeare-squared-relu, "
        "shakespeare-teacher, tiny, tinystories-gpt"
    )


@pytest.mark.skipif("GATEFORMER_DATA" not in os.environ, reason="GATEFORMER_DATA is not set")
@pytest.mark.parametrize("observer", ["percentile", "max"])
def test_shipped_model_in_int8_is_within_its_gate(tmp_path, observer):
    corpus = Path(os.environ["GATEFORMER_DATA"]) / "tinyshakespeare/input.txt"
    result = compress.run(
        [
            *("ptq", "shakespeare-115k", "--corpus", str(corpus), "--observer", observer),
            *("--results", str(tmp_path), "--runs", str(tmp_path), "--windows", "100"),
        ]
    )
    assert result.losses[0].windows == 100
    assert result.losses[0].perplexity_ratio <= GATES["int8-ptq"][0]
