"""``gateformer train``: what keeps a run from beginning or ending is one line, and its help."""

import importlib.util
import re
import subprocess
import sys

import pytest
import torch

from gateformer.model.contract import trained_shapes
from gateformer.model.support import cli, memory
from gateformer.model.support.optional import install_command
from gateformer.model.training import loop as training
from gateformer.model.training import train
from gateformer.model.training.step_memory import kept_bytes
from tests.support.checkpoints.train_tiny import TINY, command_line
from tests.support.user_error import no_integer


@pytest.fixture(autouse=True)
def tiny_preset(monkeypatch):
    monkeypatch.setitem(trained_shapes.PRESETS, "tiny", TINY)


@pytest.fixture
def arguments(tmp_path):
    return command_line(tmp_path)


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
            "no preset 'huge'; the presets are: nanogpt-cpu, "
            "shakespeare-115k, shakespeare-115k-2t, shakespeare-zybo, stories-zybo, tiny",
        ),
        (
            {"digits": "down_proj=two"},
            "digits must be a number or 'matrix=number,…', not 'down_proj=two'; "
            "for example --digits down_proj=2",
        ),
        ({"digits": "6"}, "digits of q_proj must be 1 to 5, not 6"),
        ({"n-layers": "0"}, no_integer("--n-layers", "from 1 to 1000", 0)),
        (
            {"d-model": "10", "n-heads": "4"},
            "n_heads must divide d_model, but 4 does not divide 10; choose one of 1, 2, 5, 10",
        ),
        ({"steps": "0"}, no_integer("--steps", "from 1 to 1000000000", 0)),
        ({"fixed-steps": "-1"}, no_integer("--fixed-steps", "from 0 to 1000000000", -1)),
        ({"float-steps": "-1"}, no_integer("--float-steps", "from 1 to 1000000000", -1)),
        ({"batch": "0"}, no_integer("--batch", "from 1 to 1000000000", 0)),
        ({"lr": "nan"}, "lr must be a positive number, not nan"),
        ({"average": "1"}, "average must be at least 0 and below 1, not 1"),
        ({"seed": "-3"}, no_integer("--seed", "from 0 to 9223372036854775807", -3)),
        ({"seed": str(2**63)}, no_integer("--seed", "from 0 to 9223372036854775807", 2**63)),
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
        ({"weight-bits": "1"}, no_integer("--weight-bits", "from 2 to 32", 1)),
        (
            {"weight-bits": "2", "digits": "up_proj=2"},
            "weights of 2 bits go down to -2, but 1 ternary digits to -1; use more digits",
        ),
        ({"threads": "0"}, no_integer("--threads", "from 1 to 256", 0)),
        ({"steps": "many"}, no_integer("--steps", "from 1 to 1000000000", "many")),
        ({"init": "no.st"}, "no.st does not exist; expected an artifact (.safetensors)"),
        ({"teacher": "no.st"}, "no.st does not exist; expected an artifact (.safetensors)"),
        (
            {"runs": "corpus.txt"},
            "corpus.txt is a file, where a directory is needed; name another",
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
    window = (torch.arange(ctx_len + 1) % vocab_size)[None]
    # tanh's result once for two layers, log probabilities, two int64 indices, the loss' weight
    activations = ctx_len * (width + vocab_size) * 4
    indices = 2 * (ctx_len + 1) * 8
    kept = kept_bytes(model, training.cross_entropy(model), window)
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
        f"{purpose} needs {package}, which is not installed; run: {install_command('train')}"
    )


def test_help_names_the_defaults():
    command = [sys.executable, "-m", "gateformer.model.training.train", "--help"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "shakespeare-115k" in text
    assert "continues from it" in text
    options = " ".join(text.partition("options:")[2].split())
    assert "--out FILE artifact to write; its loss curve goes beside it (.svg) --steps" in options
    assert (
        "peak learning rate of quantized training (default: the preset's, mostly 0.006)" in options
    )
    rate = "peak rate of float training (default: the preset's, mostly 0.003)"
    assert f"--float-lr FLOAT_LR {rate}" in options


def test_any_shape_can_be_trained():
    sizes = {"n_layers": 3, "d_model": 40, "n_heads": 5, "ctx_len": 17, "vocab_size": 70}
    config = train.preset_config("shakespeare-115k-2t", None, sizes)
    assert {name: getattr(config, name) for name in sizes} == sizes
    assert config.d_ff == 160
    assert {count for _, count in config.digits} == {2}
    assert train.preset_config("tiny", "down_proj=3", {"d_model": 16, "d_ff": 20}).d_ff == 20
    assert train.preset_config("tiny", None, dict.fromkeys(train.SIZES)) == TINY
