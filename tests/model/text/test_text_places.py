"""A character that a model lacks is named with line and column of its file, by every command."""

import dataclasses

import numpy as np
import pytest

from gateformer.model.contract import artifact
from gateformer.model.contract.random_model import random_model
from gateformer.model.evaluation import evaluate
from gateformer.model.floating.twin import weight_shapes
from gateformer.model.text.corpus import Corpus, train_length
from gateformer.model.text.tokenizer import CharTokenizer
from tests.support.user_error import message

MODEL = random_model("random:d_model=8,n_layers=1,d_ff=9,ctx_len=8,vocab_size=80")
LINES = [f"{n} sheep, {n * n % 97} goats." for n in range(40)]
PLACES = {"the first line": (0, 0), "training": (11, 3), "validation": (37, 5), "the last": (39, 0)}
NAMES = [f"{name} {end!r}" for name in PLACES for end in ("\n", "\r\n")]


@pytest.fixture(params=NAMES)
def text(request):
    """The text with one foreign character, its line and column from 1, and where it is."""
    name, _, end = request.param.rpartition(" ")
    line, column = PLACES[name]
    lines = list(LINES)
    lines[line] = lines[line][:column] + "é" + lines[line][column:]
    return end[1:-1].encode().decode("unicode_escape").join(lines), (line + 1, column + 1)


@pytest.fixture
def model(tmp_path):
    vocabulary = ("\n", "\r", *MODEL.vocabulary[2:-1], " ")
    shapes, rng = weight_shapes(MODEL.config), np.random.default_rng(1)
    weights = {name: rng.normal(0, 0.3, shape) for name, shape in shapes.items()}
    path = tmp_path / "tiny.safetensors"
    artifact.save(path, dataclasses.replace(MODEL, vocabulary=vocabulary), weights)
    return path


def said(place) -> str:
    line, column = place
    return f"character 'é' at line {line}, column {column} of text.txt is not in the vocabulary"


def test_the_parts_together_are_the_text(text):
    content, place = text
    corpus = Corpus(content, "text.txt", "")
    known = CharTokenizer(sorted(set(content)))
    assert corpus.train_tokens(known) + corpus.validation_tokens(known) == corpus.tokens(known)
    lacking = CharTokenizer(sorted(set(content) - {"é"}))
    in_training = content.index("é") < train_length(len(content))
    parts = (corpus.tokens, corpus.train_tokens if in_training else corpus.validation_tokens)
    for tokens in parts:
        assert message(tokens, lacking).startswith(said(place))
    other = corpus.validation_tokens if in_training else corpus.train_tokens
    assert len(other(lacking)) > 0


def _evaluate(model, path):
    evaluate.main([str(model), "--corpus", str(path)])


def _compress(model, path):
    from gateformer.model.compression import compress

    compress.run(["ptq", str(model), "--corpus", str(path), *_places(path)])


def _calibration(model, path):
    from gateformer.model.compression import compress

    clean = path.with_name("clean.txt")
    clean.write_text("\n".join(LINES))
    texts = ["--corpus", str(clean), "--calibration", str(path)]
    compress.run(["ptq", str(model), *texts, *_places(path)])


def _places(path):
    return ["--runs", str(path.parent / "runs"), "--results", str(path.parent / "results")]


@pytest.mark.parametrize("command", [_evaluate, _compress, _calibration])
def test_commands_name_line_and_column_of_the_file(command, model, text, tmp_path):
    if command is not _evaluate:
        pytest.importorskip("torch")
    content, place = text
    path = tmp_path / "text.txt"
    path.write_bytes(content.encode())
    if command is _evaluate and content.index("é") < train_length(len(content)):
        _evaluate(model, path)  # it reads the validation part only
    else:
        assert message(command, model, path).startswith(said(place))


def test_a_character_of_a_prompt_is_at_its_position():
    assert message(CharTokenizer("ab").encode, "abé").startswith("character 'é' at position 2 is")
