"""gateformer evaluate and the wrapper of all command lines."""

import hashlib
import json
import math

import numpy as np
import pytest

from gateformer.model.contract import artifact
from gateformer.model.contract.random_model import random_model
from gateformer.model.contract.reference import Reference
from gateformer.model.contract.windows import cross_entropy
from gateformer.model.evaluation.evaluate import evaluate, main
from gateformer.model.floating.twin import FloatModel, weight_shapes
from gateformer.model.native.stream import CompiledStream
from gateformer.model.support import cli
from gateformer.model.support.errors import UserError
from gateformer.model.text.corpus import Corpus

SPEC = "random:d_model=8,n_layers=1,d_ff=9,ctx_len=16,vocab_size=53,seed=3"
TEXT = "".join(np.random.default_rng(0).choice(list("abc XYZ"), 1000))


@pytest.fixture
def loaded():
    model = random_model(SPEC)
    rng = np.random.default_rng(1)
    shapes = weight_shapes(model.config)
    weights = {name: rng.normal(0, 0.3, shape) for name, shape in shapes.items()}
    return artifact.Artifact("tiny", model, weights, {}, "")


def exit_status(function):
    with pytest.raises(SystemExit) as stop:
        cli.run(function)
    return stop.value.code


def test_losses_are_those_of_the_references(loaded):
    result = evaluate(loaded, Corpus(TEXT, "text", "0"))
    model, validation = loaded.model, Corpus(TEXT, "text", "0").validation
    tokens = np.array([model.vocabulary.index(character) for character in validation])
    assert result.windows == (len(tokens) - 1) // 16 == 6
    integer, targets = [], tokens[1 : 16 * 6 + 1]
    reference = Reference(model)
    for now, token in enumerate(tokens[: 16 * 6]):
        if now % 16 == 0:
            reference.reset()
        integer.append(reference.step(token))
    float_logits = FloatModel(model.config, loaded.float_weights, np.float64).logits(
        tokens[: 16 * 6].reshape(6, 16)
    )
    integer, float_logits = np.array(integer), float_logits.reshape(96, 53)
    scaled = integer * model.logit_scale
    assert result.integer_loss == pytest.approx(cross_entropy(scaled, targets))
    assert result.float_loss == pytest.approx(cross_entropy(float_logits, targets), rel=1e-5)
    assert result.agreement == pytest.approx(np.mean(integer.argmax(1) == float_logits.argmax(1)))
    assert result.to_dict()["integer_bits"] == pytest.approx(result.integer_loss / math.log(2))


def test_the_compiled_function_gives_the_same_figures(loaded, monkeypatch):
    """To the last digit; so does numpy without a compiler."""
    corpus = Corpus(TEXT, "text", "0")
    in_numpy = evaluate(loaded, corpus)
    monkeypatch.setattr("gateformer.model.evaluation.evaluate.COMPILED_FROM", 1)
    used = []
    step = CompiledStream.window_logits
    monkeypatch.setattr(
        CompiledStream, "window_logits", lambda *given: used.append(1) or step(*given)
    )
    assert evaluate(loaded, corpus) == in_numpy
    assert used
    used.clear()
    monkeypatch.setattr("gateformer.model.support.compiler.find_compiler", fail)
    assert evaluate(loaded, corpus) == in_numpy
    assert not used


def fail(*_):
    raise UserError("no compiler")


def test_json_without_float_twin(tmp_path, capsys):
    corpus = tmp_path / "corpus.txt"
    corpus.write_text(TEXT)
    main([SPEC, "--corpus", str(corpus), "--json"])
    result = json.loads(capsys.readouterr().out)
    assert (result["model"], result["corpus"]) == (SPEC, "corpus.txt")
    assert result["float_loss"] is result["float_bits"] is result["agreement"] is None
    assert result["integer_loss"] > 0


def test_table(tmp_path, loaded, capsys):
    corpus, path = tmp_path / "corpus.txt", tmp_path / "tiny.safetensors"
    corpus.write_text(TEXT)
    artifact.save(path, loaded.model, loaded.float_weights)
    main([str(path), "--corpus", str(corpus)])
    out = capsys.readouterr().out
    assert "integer (deployed)" in out
    assert "float twin" in out
    assert "6 windows of 16 characters" in out
    digest = hashlib.sha256(TEXT.encode()).hexdigest()[:16]
    said = f"text: the last 100 of 1,000 characters of corpus.txt, SHA-256 {digest}…"
    assert out.splitlines()[-1] == said


def test_foreign_character(loaded):
    with pytest.raises(
        UserError, match=r"^character '!' at line 1, column 20 of text is not in the vocabulary"
    ):
        evaluate(loaded, Corpus("a" * 18 + "a!", "text", "0"))


def test_the_default_text_is_not_for_models_of_another(tmp_path, loaded):
    path = tmp_path / "mine.safetensors"
    info = {"corpus": {"name": "stories.txt", "sha256": "0" * 64}}
    artifact.save(path, loaded.model, {}, info)
    with pytest.raises(UserError) as caught:
        main([str(path)])
    assert str(caught.value) == (
        "mine was trained on stories.txt, not on Tiny Shakespeare; give a text with --corpus"
    )


def test_command_line_exit_statuses(capsys):
    def user_error():
        raise UserError("seed must be 1, not 2")

    def interrupt():
        raise KeyboardInterrupt

    assert exit_status(lambda: None) == 0
    assert exit_status(lambda: 3) == 3
    assert exit_status(interrupt) == 130
    capsys.readouterr()
    assert exit_status(user_error) == 2
    assert capsys.readouterr() == ("", "error: seed must be 1, not 2\n")


def test_bugs_keep_their_traceback():
    with pytest.raises(ZeroDivisionError):
        cli.run(lambda: 1 / 0)
