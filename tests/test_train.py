"""Training end to end on a tiny model: deterministic, interruptible, and clear about bad input."""

import importlib.util
import json
import re
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch

from model import artifact, cli, config, memory, train, training
from model.compressible import SquaredReLULayout
from model.float_file import save_float
from model.windows import cross_entropy, validation_windows, window_logits
from tests.train_tiny import TEXT, TINY

LAST_FLOAT_STEP, STEPS, FIXED_STEPS = 6, 9, 4


@pytest.fixture(autouse=True)
def tiny_preset(monkeypatch):
    monkeypatch.setitem(config.PRESETS, "tiny", TINY)


@pytest.fixture
def arguments(tmp_path):
    """Command line of a tiny run; its artifact is out.safetensors."""
    corpus = tmp_path / "corpus.txt"
    corpus.write_text(TEXT)
    options = {
        "--corpus": corpus,
        "--preset": "tiny",
        "--digits": "down_proj=2",
        "--out": tmp_path / "out.safetensors",
        "--runs": tmp_path / "runs",
        "--float-steps": LAST_FLOAT_STEP,
        "--steps": STEPS,
        "--fixed-steps": FIXED_STEPS,
        "--batch": 4,
    }
    return lambda **changes: [
        str(part)
        for option in {**options, **{f"--{k}": v for k, v in changes.items()}}.items()
        for part in option
    ]


def interrupt_after(monkeypatch, count):
    """Ctrl-C while step ``count`` of this process is computed."""
    optimize, done = training._optimize, []

    def interrupted(*args):
        done.append(None)
        if len(done) == count:
            signal.raise_signal(signal.SIGINT)
        return optimize(*args)

    monkeypatch.setattr(training, "_optimize", interrupted)


def same_model(a: artifact.Artifact, b: artifact.Artifact) -> bool:
    return a.model.digest == b.model.digest and all(
        np.array_equal(a.float_weights[name], array) for name, array in b.float_weights.items()
    )


def test_run_writes_artifact_and_loss_curve(arguments, tmp_path):
    assert train.main(arguments()) is None
    assert {path.name for path in tmp_path.iterdir()} == {
        "corpus.txt", "out.safetensors", "out.svg", "runs"
    }  # fmt: skip
    trained = artifact.load(tmp_path / "out.safetensors")
    assert trained.model.config.digits_of("layers.0.down_proj") == 2
    assert trained.model.config.digits_of("layers.0.up_proj") == 1
    assert trained.info["recipe"]["steps"] == STEPS
    assert trained.info["corpus"]["name"] == "corpus.txt"
    assert (tmp_path / "out.svg").read_text().startswith("<?xml")


def test_reported_loss_is_that_of_the_integer_model(arguments, tmp_path):
    train.main(arguments())
    trained = artifact.load(tmp_path / "out.safetensors")
    validation = [ord(character) for character in TEXT[int(0.9 * len(TEXT)) :]]
    inputs, targets = validation_windows(validation, TINY.ctx_len)
    logits = window_logits(trained.model, inputs) * trained.model.logit_scale
    assert cross_entropy(logits, targets) == pytest.approx(trained.info["val_loss_int"], abs=1e-6)


@pytest.mark.parametrize("average", [0, 0.8])
@pytest.mark.parametrize(
    "count, message",
    [
        (2, f"float: stopped after step 2 of {LAST_FLOAT_STEP}"),
        (LAST_FLOAT_STEP, f"float: stopped after step {LAST_FLOAT_STEP} of {LAST_FLOAT_STEP}"),
        (LAST_FLOAT_STEP + 4, f"integer: stopped after step 4 of {STEPS}"),
        (LAST_FLOAT_STEP + STEPS + 1, f"fixed: stopped after step 1 of {FIXED_STEPS}"),
    ],
)
def test_interrupted_run_continues_to_the_same_model(
    arguments, tmp_path, monkeypatch, capsys, count, message, average
):
    again = arguments(average=average)
    with monkeypatch.context() as patch:
        interrupt_after(patch, count)
        assert train.main(again) == cli.INTERRUPTED_STATUS
    assert capsys.readouterr().err == f"{message}; the same command continues from there\n"
    assert not (tmp_path / "out.safetensors").exists()
    assert train.main(again) is None
    places = {"out": tmp_path / "whole.safetensors", "runs": tmp_path / "new"}
    assert train.main(arguments(average=average, **places)) is None
    continued, whole = (
        artifact.load(tmp_path / f"{name}.safetensors") for name in ("out", "whole")
    )
    assert same_model(continued, whole)
    assert (tmp_path / "out.svg").read_bytes() == (tmp_path / "whole.svg").read_bytes()


def test_seed_decides_the_model(arguments, tmp_path):
    train.main(arguments())
    train.main(arguments(out=tmp_path / "other.safetensors", seed=7))
    one, other = (artifact.load(tmp_path / f"{name}.safetensors") for name in ("out", "other"))
    assert one.model.digest != other.model.digest


def test_the_result_is_the_mean_of_the_parameters(arguments, tmp_path, monkeypatch):
    optimize, mean = training._optimize, {}

    def observed(phase, *args):
        loss = optimize(phase, *args)
        for name, parameter in phase.model.named_parameters() if phase.average else ():
            value = parameter.detach().clone()
            mean[name] = 0.75 * mean[name] + 0.25 * value if name in mean else value
        return loss

    monkeypatch.setattr(training, "_optimize", observed)
    train.main(arguments(**{"average": 0.75, "fixed-steps": 0}))
    (checkpoint,) = (tmp_path / "runs").glob("integer-*.pt")
    last = torch.load(checkpoint, weights_only=True)["model"]
    rows = mean["token_embedding"]
    trained = artifact.load(tmp_path / "out.safetensors").model
    unit = last["_extra_state"]["activations"]["residual"] * trained.token_mult
    assert np.array_equal(trained.token_embedding, (rows / unit).round().clamp(-127, 127).numpy())
    assert not torch.equal(rows, last["token_embedding"])


def test_the_fixed_phase_trains_all_but_the_integers_of_the_weights(arguments, tmp_path):
    train.main(arguments(**{"fixed-steps": 0}))
    train.main(arguments(**{"out": tmp_path / "fixed.safetensors", "fixed-lr": 0.1}))
    assert len(list((tmp_path / "runs").glob("integer-*.pt"))) == 1  # the second went on from it
    first, last = (artifact.load(tmp_path / f"{n}.safetensors").model for n in ("out", "fixed"))
    for name, tensor in first.tensors().items():
        assert np.array_equal(tensor, last.tensors()[name]) == name.endswith("_proj.weight"), name


def test_init_replaces_the_float_phase(arguments, tmp_path):
    out = tmp_path / "out.safetensors"
    train.main(arguments())
    train.main(arguments(init=out, out=tmp_path / "again.safetensors", digits=1))
    first, again = artifact.load(out), artifact.load(tmp_path / "again.safetensors")
    for name, array in first.float_weights.items():
        assert np.array_equal(again.float_weights[name], array)
    assert again.model.config.digits_of("layers.0.down_proj") == 1
    # a model's file says which one it came from, not where that one lay
    assert again.info["recipe"]["init"] == {"name": "out", "sha256": first.sha256}
    assert str(tmp_path) not in json.dumps(again.info)


def test_init_has_the_gatewares_activation(arguments, tmp_path):
    layout = SquaredReLULayout(config.PRESETS["tiny"])
    squared = tmp_path / "squared.safetensors"
    save_float(squared, layout, layout.build().state_dict(), [])
    with pytest.raises(train.UserError) as error:
        train.main(arguments(init=squared))
    assert str(error.value) == f"{squared} has architecture squared-relu, expected relu"


def test_weights_of_two_bits_are_an_artifact(arguments, tmp_path):
    train.main(arguments(digits=2, **{"weight-bits": 2}))
    made = artifact.load(tmp_path / "out.safetensors")
    for matrix in made.model.matrices.values():
        assert set(np.unique(matrix.weight)) == {-2, -1, 0, 1}
    assert made.info["recipe"]["choices"]["weight_bits"] == 2


def test_training_reduces_the_integer_loss(arguments, tmp_path):
    losses = []
    for steps in (1, 60):
        train.main(arguments(steps=steps, lr=0.01, **{"float-steps": 60, "float-lr": 0.01}))
        losses.append(artifact.load(tmp_path / "out.safetensors").info["val_loss_int"])
    assert losses[1] < losses[0] - 0.1


def test_learning_rate_warms_up_and_decays():
    model = torch.nn.Linear(1, 1)
    phase = training.Phase("p", model, None, [], steps=100, batch=1, lr=0.5, seed=0, checkpoint="")
    rates = [phase.lr_at(step) for step in range(100)]
    assert rates[0] == 0.25
    assert max(rates) == rates[1] == rates[2] == 0.5
    assert rates[2:] == sorted(rates[2:], reverse=True)
    assert 0.005 < rates[-1] < 0.0052


@pytest.mark.parametrize(
    "changes, message",
    [
        (
            {"corpus": "no.txt"},
            "corpus no.txt does not exist; give a UTF-8 text file, or leave --corpus out to "
            "download Tiny Shakespeare",
        ),
        (
            {"preset": "huge"},
            "no preset 'huge'; the presets are: "
            "shakespeare-115k, shakespeare-115k-2t, shakespeare-zybo, stories-zybo, tiny",
        ),
        (
            {"digits": "down_proj=two"},
            "digits must be a number or 'matrix=number,…', not 'down_proj=two'; "
            "for example --digits down_proj=2",
        ),
        ({"digits": "6"}, "digits of q_proj must be 1 to 5, not 6"),
        ({"steps": "0"}, "steps must be at least 1, not 0"),
        ({"fixed-steps": "-1"}, "fixed_steps must be at least 0, not -1"),
        ({"float-steps": "-1"}, "float_steps must be at least 1, not -1"),
        ({"batch": "0"}, "batch must be at least 1, not 0"),
        ({"lr": "nan"}, "lr must be a positive number, not nan"),
        ({"average": "1"}, "average must be at least 0 and below 1, not 1"),
        ({"seed": "-3"}, "seed must be 0 to 9223372036854775807, not -3"),
        ({"seed": str(2**63)}, f"seed must be 0 to 9223372036854775807, not {2**63}"),
        ({"lr": "1e30"}, "lr must be at most 1, not 1e+30"),
        (
            {"temperature": "2"},
            "--temperature is for --teacher; give both, or leave --temperature out",
        ),
        ({"written": "9"}, "--written is for --writer; give both, or leave --written out"),
        (
            {"fixed-lr": "0.1", "fixed-steps": "0"},
            "--fixed-lr is for --fixed-steps, which are 0; leave one of them out",
        ),
        (
            {"out": "corpus.txt", "corpus": "corpus.txt"},
            "corpus.txt is the corpus, which would be overwritten; name another --out",
        ),
        ({"out": "a.svg"}, "--out a.svg is where the loss curve goes; name it .safetensors"),
        ({"out": "/dev/null"}, "--out /dev/null is a device or the like; name a file"),
        ({"writer": "no.st"}, "no.st does not exist; expected an artifact (.safetensors)"),
        ({"weight-bits": "1"}, "weight bits must be at least 2, not 1"),
        (
            {"weight-bits": "2", "digits": "up_proj=2"},
            "weights of 2 bits go down to -2, but 1 ternary digits to -1; use more digits",
        ),
        ({"threads": "0"}, "threads must be 1 to 256, not 0"),
        ({"steps": "many"}, "argument --steps: invalid int value: 'many'; see --help"),
        ({"init": "no.st"}, "no.st does not exist; expected an artifact (.safetensors)"),
        ({"teacher": "no.st"}, "no.st does not exist; expected an artifact (.safetensors)"),
        (
            {"runs": "corpus.txt"},
            "cannot make the directory corpus.txt: File exists; choose a place where you may write",
        ),
        ({"out": "no/a.safetensors"}, "directory no of --out does not exist; create it first"),
        ({"out": "."}, "--out . is a directory; name the file to write in it"),
    ],
)
def test_bad_input_is_one_line(arguments, monkeypatch, tmp_path, capsys, changes, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        cli.run(lambda: train.main(arguments(**changes)))
    assert stop.value.code == 2
    assert capsys.readouterr().err == f"error: {message}\n"
    assert {path.name for path in tmp_path.iterdir()} <= {"corpus.txt"}


def test_a_loss_that_is_no_number_ends_the_run(arguments, monkeypatch, tmp_path):
    monkeypatch.setattr(training, "_optimize", lambda *_: float("nan"))
    with pytest.raises(train.UserError) as error:
        train.main(arguments())
    assert str(error.value) == (
        "float: the loss is nan after step 1; choose a smaller learning rate"
    )
    assert not (tmp_path / "runs").exists()


def test_the_writer_writes_before_the_first_step(arguments, tmp_path, monkeypatch):
    steps = []
    monkeypatch.setattr(training, "_optimize", lambda *_: steps.append(0))
    with pytest.raises(train.UserError, match=r"^writer shakespeare-115k has a context of 128"):
        train.main(arguments(writer="shakespeare-115k"))
    assert not steps


def test_short_corpus(arguments, tmp_path):
    (tmp_path / "short.txt").write_text("too short")
    with pytest.raises(train.UserError, match=r"short.txt has 9 characters, .* at least 121;"):
        train.main(arguments(corpus=tmp_path / "short.txt"))


def test_batch_that_exceeds_the_memory(arguments, monkeypatch, tmp_path):
    monkeypatch.setattr(memory, "available_bytes", lambda: 100 * 2**20)
    with pytest.raises(train.UserError) as error:
        train.main(arguments(batch=10**6))
    assert re.fullmatch(
        r"batch 1000000: training needs [\d,]{6,} MiB, but 100 MiB of memory are available; "
        "choose a smaller --batch",
        str(error.value),
    )
    assert {path.name for path in tmp_path.iterdir()} == {"corpus.txt"}


def test_what_a_window_keeps_is_what_a_batch_keeps_for_each():
    width, ctx_len, vocab_size = 6, 5, 7
    model = torch.nn.Sequential(
        torch.nn.Embedding(vocab_size, width), torch.nn.Tanh(), torch.nn.Linear(width, vocab_size)
    )
    phase = training.Phase(
        "p", model, training.cross_entropy(model), [], steps=1, batch=1, lr=1, seed=0, checkpoint=""
    )
    tokens = torch.arange(50) % vocab_size
    # tanh's result once for two layers, log probabilities, two int64 indices, the loss' weight
    activations = ctx_len * (width + vocab_size) * 4
    indices = 2 * (ctx_len + 1) * 8
    kept = training._window_bytes(phase, tokens, ctx_len)
    assert activations <= kept <= activations + indices + 16


def test_damaged_checkpoint_is_named(arguments, tmp_path):
    train.main(arguments())
    (checkpoint,) = (tmp_path / "runs").glob("integer-*.pt")
    checkpoint.write_bytes(b"damaged")
    with pytest.raises(train.UserError, match=f"checkpoint {checkpoint} cannot be read"):
        train.main(arguments())


@pytest.mark.parametrize(
    "package, purpose", [("torch", "training"), ("matplotlib", "drawing the loss curve")]
)
def test_missing_package(arguments, monkeypatch, package, purpose):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == package else find_spec(name)
    )
    with pytest.raises(train.UserError) as error:
        train.main(arguments())
    assert str(error.value) == (
        f"{purpose} needs {package}, which is not installed; run: pip install 'gateformer[train]'"
    )


def test_help_names_the_defaults():
    command = [sys.executable, "-m", "model.train", "--help"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "shakespeare-115k" in text
    assert "continues from it" in text
    options = " ".join(text.partition("options:")[2].split())
    assert "--out FILE artifact to write; its loss curve goes beside it (.svg) --steps" in options
    assert (
        "peak learning rate of quantized training (default: the preset's, mostly 0.006)" in options
    )
    assert "--float-lr FLOAT_LR peak rate of float training (default: 0.003)" in options
