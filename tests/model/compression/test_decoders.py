"""gateformer compress of models of contract version 2: those that it holds, and the others."""

import pytest

from gateformer.model.compression import compress
from gateformer.model.contract import artifact
from gateformer.model.floating.file import open_float
from gateformer.model.support.errors import UserError
from gateformer.model.training import train
from tests.support.checkpoints.train_tiny import TEXT

SIZES = "--n-layers 1 --d-model 16 --n-heads 2 --d-ff 24 --ctx-len 12 --float-steps 3 --batch 4"


@pytest.fixture
def trained(tmp_path, monkeypatch):
    """A function of the choices to the artifact's path."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text").write_text(TEXT)

    def make(choices):
        train.main(["--corpus", "text", "--out", "mine.safetensors", *f"{SIZES} {choices}".split()])
        return "mine.safetensors"

    return make


@pytest.mark.parametrize(
    "choices, architecture",
    [("--norm layer --bias all --activation gelu", "gpt2"), ("--bits 8", "relu")],
)
def test_what_compression_holds(trained, capsys, choices, architecture):
    path = trained(choices)
    source = open_float(path)
    assert source.layout.architecture == architecture
    result = compress.run(["prune", path, "--corpus", "text", "--steps", "2", "--batch", "4"])
    loss = artifact.load(path).info["val_loss_float"]
    assert result.losses[0].float_loss == pytest.approx(loss, abs=2e-3)  # of all windows there


@pytest.mark.parametrize(
    "choices, named",
    [
        ("--positions rotary", "positions rotary"),
        ("--gated", "gated True"),
        ("--untied-head", "tied_head False"),
        ("--n-kv-heads 1", "n_kv_heads 1"),
        ("--activation silu", "activation silu"),
        ("--bias q_proj", "bias q_proj"),
        ("--norm layer", "norm_bias False"),
        ("--norm layer --bias norm", "bias none"),
    ],
)
def test_what_it_does_not_hold_is_named(trained, choices, named):
    path = trained(choices)
    with pytest.raises(UserError) as refused:
        compress.run(["ptq", path, "--corpus", "text"])
    said = str(refused.value)
    assert said.startswith(f"mine has {named}, which compression's models have not (")
    assert said.endswith("gateformer import with --bits, or --bits auto") and "\n" not in said


def test_an_imported_model_has_no_floats(trained):
    path = trained("--gated")
    made = artifact.load(path)
    artifact.save(path, made.model)
    with pytest.raises(UserError) as refused:
        compress.run(["ptq", path, "--corpus", "text"])
    assert str(refused.value) == (
        "mine.safetensors was imported and keeps no float weights, which this trains or measures; "
        "for other weights import its source again, with --bits or --bits auto"
    )


def test_measure_is_evaluates(trained):
    path = trained("--bits 8")
    with pytest.raises(UserError, match="is for models of version 1 only"):
        compress.run(["measure", path, "--corpus", "text"])
