"""Training end to end on a tiny model: deterministic, interruptible, and clear about bad input."""

import json
import signal

import numpy as np
import pytest
import torch

from gateformer.model.contract import artifact, trained_shapes
from gateformer.model.contract.windows import cross_entropy, validation_windows, window_logits
from gateformer.model.floating.file import save_float
from gateformer.model.floating.structure import SquaredReLULayout
from gateformer.model.support import cli
from gateformer.model.training import loop as training
from gateformer.model.training import recipe, train
from tests.support.checkpoints.train_tiny import (
    FIXED_STEPS,
    LAST_FLOAT_STEP,
    STEPS,
    TEXT,
    TINY,
    command_line,
)


@pytest.fixture(autouse=True)
def tiny_preset(monkeypatch):
    monkeypatch.setitem(trained_shapes.PRESETS, "tiny", TINY)


@pytest.fixture
def arguments(tmp_path):
    return command_line(tmp_path)


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
    said = capsys.readouterr().err.splitlines()[-1]
    assert said == f"{message}; the same command continues from there"
    assert not (tmp_path / "out.safetensors").exists()
    assert train.main(again) is None
    places = {"out": tmp_path / "whole.safetensors", "runs": tmp_path / "new"}
    assert train.main(arguments(average=average, **places)) is None
    continued, whole = (
        artifact.load(tmp_path / f"{name}.safetensors") for name in ("out", "whole")
    )
    assert same_model(continued, whole)
    assert (tmp_path / "out.svg").read_bytes() == (tmp_path / "whole.svg").read_bytes()


def test_only_the_result_is_printed_as_output(arguments, tmp_path, capsys):
    train.main(arguments())
    said = capsys.readouterr()
    assert said.out.startswith(f"{tmp_path / 'out.safetensors'}: validation loss ")
    assert said.out.count("\n") == 1
    assert [line.split()[0] for line in said.err.splitlines()] == ["float", "integer", "fixed"]


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
    layout = SquaredReLULayout(trained_shapes.PRESETS["tiny"])
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


@pytest.mark.parametrize("preset", sorted(trained_shapes.PRESETS))
def test_a_short_run_is_short(preset):
    """The steps with fixed integers are the preset's share of the steps that are asked for."""
    own = recipe.preset_recipe(preset, TINY)
    assert own.fixed_steps == (1000 if preset == "shakespeare-115k" else 0)
    assert recipe.preset_recipe(preset, TINY, steps=own.steps) == own
    assert recipe.preset_recipe(preset, TINY, steps=2).fixed_steps == 0
    half = recipe.preset_recipe(preset, TINY, steps=own.steps // 2)
    assert half.fixed_steps == own.fixed_steps // 2
    assert recipe.preset_recipe(preset, TINY, steps=2, fixed_steps=7).fixed_steps == 7


def test_a_run_takes_the_steps_that_were_asked_for(arguments, tmp_path, monkeypatch):
    monkeypatch.setitem(recipe.PRESET_SETTINGS, "tiny", recipe.PRESET_SETTINGS["shakespeare-115k"])
    optimize, steps = training._optimize, []

    def counted(phase, *args):
        steps.append(phase.name)
        return optimize(phase, *args)

    monkeypatch.setattr(training, "_optimize", counted)
    options = arguments(**{"steps": 2, "float-steps": 2})
    place = options.index("--fixed-steps")
    train.main(options[:place] + options[place + 2 :])
    assert steps == ["float"] * 2 + ["integer"] * 2
