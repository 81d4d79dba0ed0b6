"""``gateformer train`` of other architectures: float training, rounding, the artifact."""

import json
import signal

import numpy as np
import pytest

from gateformer.model.contract import artifact
from gateformer.model.evaluation import evaluate, generate
from gateformer.model.floating.checkpoints.artifact_twin import open_twin
from gateformer.model.floating.decoder import FloatDecoder
from gateformer.model.importing import command as importing
from gateformer.model.support import cli
from gateformer.model.support.errors import UserError
from gateformer.model.training import loop, train
from tests.support.checkpoints.train_tiny import TEXT

SIZES = {
    **{"n-layers": 2, "d-model": 32, "n-heads": 4, "d-ff": 48, "ctx-len": 24, "vocab-size": 128},
    **{"float-steps": 6, "batch": 4},
}
LLAMA = {"positions": "rotary", "activation": "silu", "gated": None, "n-kv-heads": 2}
GPT = {"norm": "layer", "activation": "gelu", "bias": "all"}
MIXED = {"head-dim": 6, "untied-head": None, "bias": "q_proj,norm", "norm": "layer"}


@pytest.fixture
def arguments(tmp_path):
    corpus = tmp_path / "corpus.txt"
    corpus.write_text(TEXT)
    places = {"corpus": corpus, "out": tmp_path / "out.safetensors", "runs": tmp_path / "runs"}

    def line(**changes):
        chosen = {**places, **SIZES, **changes}
        given = ([f"--{name}", value] for name, value in chosen.items())
        return [str(part) for option in given for part in option if part is not None]

    return line


@pytest.mark.parametrize(
    "choices, bits",
    [(LLAMA, {}), (GPT, {"bits": "trits:4"}), (MIXED, {"bits": "5"}), ({}, {"bits": "8"})],
    ids=["llama", "gpt", "mixed", "only bits"],
)
def test_the_artifact_is_of_the_shape_and_close_to_its_float_twin(
    arguments, tmp_path, capsys, choices, bits
):
    assert train.main(arguments(**choices, **bits)) is None
    said = capsys.readouterr().out
    assert f"{tmp_path / 'out.safetensors'}: " in said and "integers against float" in said
    made = artifact.load(tmp_path / "out.safetensors")
    cfg, given = made.model.config, {k.replace("-", "_"): v for k, v in choices.items()}
    for name in ("norm", "positions", "activation", "n_kv_heads", "head_dim"):
        if name in given:
            assert getattr(cfg, name) == given[name]
    assert cfg.gated == ("gated" in given) and cfg.tied_head == ("untied_head" not in given)
    assert cfg.norm_bias == ("bias" in given)
    formats = {"trits:4": "trits:4", "5": "int5"}
    assert cfg.format_of("layers.1.down_proj") == formats.get(bits.get("bits"), "int8")
    assert made.info["val_loss_int"] == pytest.approx(made.info["val_loss_float"], abs=0.02)
    assert made.info["corpus"]["name"] == "corpus.txt"
    assert (tmp_path / "out.svg").read_text().startswith("<?xml")


def test_the_twin_is_what_was_trained(arguments, tmp_path, capsys):
    """Its loss on the validation part, computed anew, is the one that training reported."""
    train.main(arguments(**LLAMA))
    capsys.readouterr()
    path = tmp_path / "out.safetensors"
    info, source = artifact.load(path).info, open_twin(path)
    (tmp_path / "last.txt").write_text(TEXT[int(0.9 * len(TEXT)) :])
    evaluate.main([str(path), "--corpus", str(tmp_path / "last.txt"), "--json"])
    figures = json.loads(capsys.readouterr().out)
    assert figures["float_loss"] == pytest.approx(info["val_loss_float"], abs=1e-9)
    assert figures["integer_loss"] == pytest.approx(info["val_loss_int"], abs=1e-9)
    assert np.isfinite(FloatDecoder(source).logits(np.arange(24)[None])).all()
    generate.main([str(path), "--prompt", "1 sheep", "--tokens", "5"])
    assert capsys.readouterr().out


def test_training_learns(arguments, tmp_path):
    train.main(arguments(**GPT, **{"float-steps": 60, "float-lr": 1e-2}))
    untrained = np.log(len(set(TEXT)))
    assert artifact.load(tmp_path / "out.safetensors").info["val_loss_int"] < 0.8 * untrained


def test_interrupted_run_continues_to_the_same_model(arguments, tmp_path, monkeypatch, capsys):
    optimize, done = loop._optimize, []

    def interrupted(*args):
        done.append(None)
        if len(done) == 3:
            signal.raise_signal(signal.SIGINT)
        return optimize(*args)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "_optimize", interrupted)
        assert train.main(arguments(**GPT)) == cli.INTERRUPTED_STATUS
    said = "float: stopped after step 3 of 6; the same command continues from there\n"
    assert capsys.readouterr().err == said
    assert not (tmp_path / "out.safetensors").exists()
    train.main(arguments(**GPT))
    train.main(arguments(**GPT, out=tmp_path / "whole.safetensors", runs=tmp_path / "new"))
    continued, whole = (artifact.load(tmp_path / f"{n}.safetensors") for n in ("out", "whole"))
    assert continued.model.digest == whole.model.digest
    assert len(done) == 3


def test_other_bits_need_no_further_training(arguments, tmp_path, monkeypatch):
    train.main(arguments(**LLAMA))
    monkeypatch.setattr(loop, "_optimize", None)
    train.main(arguments(**LLAMA, bits="4", out=tmp_path / "four.safetensors"))
    eight, four = (artifact.load(tmp_path / f"{n}.safetensors") for n in ("out", "four"))
    assert four.model.digest != eight.model.digest
    for name, weights in eight.float_weights.items():
        assert np.array_equal(weights, four.float_weights[name])


def test_the_artifact_can_be_imported_with_other_bits(arguments, tmp_path, capsys):
    train.main(arguments(**LLAMA))
    source, out = tmp_path / "out.safetensors", tmp_path / "auto.safetensors"
    text = arguments()[1]
    budget = ("--bits", "auto", "--budget", "20000")
    importing.main([str(source), "--calibrate", text, "--out", str(out), *budget])
    made, before = artifact.load(out), artifact.load(source)
    assert {fmt for _, fmt in made.model.config.formats} > {"int8"}
    assert made.model.vocabulary.facts == before.model.vocabulary.facts
    with pytest.raises(UserError, match=r"auto\.safetensors keeps no float weights; name the"):
        open_twin(out)
    with pytest.raises(UserError, match=r"115k\.safetensors is of number contract version 1: its"):
        open_twin(artifact.shipped_file("shakespeare-115k"))


@pytest.mark.parametrize("name", ["float.norm_eps", "float.layers.0.q_proj"])
def test_a_twin_that_lacks_a_tensor_is_refused(arguments, tmp_path, name):
    train.main(arguments(**LLAMA))
    path = tmp_path / "out.safetensors"
    made = artifact.load(path)
    weights = dict(made.float_weights)
    del weights[name.removeprefix("float.")]
    artifact.save(path, made.model, weights)
    with pytest.raises(UserError, match=f"^float weight {name[6:]} is missing$"):
        open_twin(path)
