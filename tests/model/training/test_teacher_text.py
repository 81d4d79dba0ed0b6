"""Text that a float model writes, and what a student learns from it."""

import copy

import pytest
import torch

from gateformer.model.contract import artifact, trained_shapes
from gateformer.model.support import cli
from gateformer.model.support.errors import UserError
from gateformer.model.training import teacher_text, train
from gateformer.model.training.recipe import Recipe
from gateformer.model.training.teacher_text import MOST_PROMPT, TeacherText, open_writer, write_text
from tests.support.float_bench import SIZES, TEXT, VOCABULARY, Bench, model_of

from .test_train import interrupt_after

IDS = torch.tensor([VOCABULARY.index(character) for character in TEXT])
USED = torch.tensor([text != "" for text in VOCABULARY])


def test_what_is_written_comes_from_the_distributions_beside_it():
    teacher, _ = model_of("relu")
    tokens, log_probs = write_text(teacher, IDS, USED, windows=7, seed=3)
    assert tokens.shape == (7, SIZES.ctx_len + 1)
    with torch.no_grad():
        logits = teacher(tokens[:, :-1])
    expected = logits.masked_fill(~USED, -torch.inf).softmax(-1)
    torch.testing.assert_close(log_probs.float().exp(), expected, atol=1e-3, rtol=1e-2)
    assert USED[tokens].all()


def test_every_window_begins_like_the_text():
    teacher, _ = model_of("relu")
    tokens, _ = write_text(teacher, IDS, USED, windows=50, seed=3)
    written = ["".join(VOCABULARY[i] for i in row) for row in tokens.tolist()]
    assert all(window[0] in TEXT for window in written)
    assert sum(window[: MOST_PROMPT // 4] in TEXT for window in written) > 25
    assert sum(window in TEXT for window in written) < 40  # an untrained model writes nonsense


def test_draws_are_as_likely_as_they_say(monkeypatch):
    """The mean log-probability of what was drawn is minus the distributions' entropy."""
    monkeypatch.setattr(teacher_text, "MOST_PROMPT", 1)
    teacher, _ = model_of("relu")
    tokens, log_probs = write_text(teacher, IDS, USED, windows=400, seed=3)
    log_probs = log_probs[..., USED].double()
    ids = torch.cumsum(USED, 0) - 1
    drawn = log_probs.gather(-1, ids[tokens[:, 1:, None]])[..., 0]
    p = log_probs.exp()
    mean = (p * log_probs).sum(-1)
    variance = (p * log_probs.square()).sum(-1) - mean.square()
    assert variance.mean() > 0.1
    assert (drawn - mean).sum().abs() < 4 * variance.sum().sqrt()


def test_seed_decides_the_text():
    teacher, _ = model_of("relu")
    one, same, other = (write_text(teacher, IDS, USED, 5, seed)[0] for seed in (3, 3, 4))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_a_student_that_is_the_writer_learns_nothing(tmp_path):
    teacher, _ = model_of("relu")
    everything = torch.ones(len(VOCABULARY), dtype=torch.bool)
    tokens, log_probs = write_text(teacher, IDS, everything, windows=6, seed=3)
    text = TeacherText(tokens, log_probs, torch.arange(len(VOCABULARY)))
    student = copy.deepcopy(teacher)
    loss = text.loss(student, batch=4, seed=1)
    loss(0).backward()
    assert max(p.grad.abs().max().item() for p in student.parameters()) < 1e-4
    assert loss(0) == loss(0) != loss(1)
    with torch.no_grad():
        student.token_embedding.mul_(1.5)
    assert min(loss(step) for step in range(3)) > 0
    probabilities = log_probs.float().exp()
    entropy = -(probabilities * log_probs.float()).sum(-1).mean()
    assert text.loss(student, batch=60, seed=1)(0) > entropy


def test_ids_are_translated(tmp_path):
    path = str(Bench(tmp_path).source("relu"))
    turned = tuple(reversed(VOCABULARY))
    text = torch.tensor([turned.index(character) for character in TEXT])
    same = open_writer(path, VOCABULARY, 16, IDS, 3, 1)
    other = open_writer(path, turned, 16, text, 3, 1)
    for one, two in ((same.tokens, other.tokens), (same.ids, other.ids)):
        assert torch.equal(one, len(VOCABULARY) - 1 - two)
    assert torch.equal(same.log_probs, other.log_probs)
    assert (same.log_probs.float().exp().sum(-1) - 1).abs().max() < 1e-2


def test_a_run_with_a_writer_continues_to_the_same_model(tmp_path, monkeypatch, capsys):
    bench = Bench(tmp_path)
    monkeypatch.setitem(trained_shapes.PRESETS, "tiny", SIZES)
    common = ["--corpus", bench.corpus, "--preset", "tiny", "--float-steps", 2, "--steps", 4]
    common += ["--batch", 5]
    writer = ["--writer", bench.source("relu"), "--written", 6]

    def run(name, *options):
        places = ["--out", tmp_path / f"{name}.safetensors", "--runs", tmp_path / f"runs-{name}"]
        return train.main([str(part) for part in [*common, *options, *places]])

    assert run("plain") is None
    assert run("whole", *writer) is None
    with monkeypatch.context() as patch:
        interrupt_after(patch, 4)
        assert run("halves", *writer) == cli.INTERRUPTED_STATUS
    assert "integer: stopped after step 2 of 4" in capsys.readouterr().err
    (text,) = (tmp_path / "runs-halves").glob("written-*.safetensors")
    kept = text.stat().st_mtime_ns
    assert run("halves", *writer) is None
    assert text.stat().st_mtime_ns == kept
    plain, whole, halves = (
        artifact.load(tmp_path / f"{name}.safetensors") for name in ("plain", "whole", "halves")
    )
    assert whole.model.digest == halves.model.digest != plain.model.digest
    assert (whole.float_weights["token_embedding"] == plain.float_weights["token_embedding"]).all()
    assert whole.info["recipe"]["writer"]["name"] == "relu"


def test_a_damaged_text_is_named(tmp_path):
    path = tmp_path / "written.safetensors"
    path.write_bytes(b"damaged")
    with pytest.raises(UserError) as error:
        TeacherText.load(path)
    assert str(error.value) == (
        f"written text {path} cannot be read (SafetensorError); delete it to have it written again"
    )


def test_a_writer_must_fit(tmp_path):
    bench = Bench(tmp_path)
    relu, gpt2, squared = (str(bench.source(name)) for name in ("relu", "gpt2", "squared relu"))
    cases = [
        ((gpt2, VOCABULARY, 16), f"writer {gpt2} has architecture gpt2, not relu"),
        ((squared, VOCABULARY, 16), f"writer {squared} has architecture squared-relu, not relu"),
        (
            (relu, VOCABULARY, 12),
            f"writer {relu} has a context of 16, but the student has 12; train it with that",
        ),
        (
            (relu, [*VOCABULARY, "ü"], 16),
            f"writer {relu} lacks the character 'ü'; train both on the same text",
        ),
        (
            (relu, [text.replace("s", "") for text in VOCABULARY], 16),
            "the student lacks the character 's'; train both on the same text",
        ),
    ]
    for arguments, message in cases:
        with pytest.raises(UserError) as error:
            open_writer(*arguments, IDS, 2, 1)
        assert str(error.value) == message


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"written": 0}, "written must be at least 1, not 0"),
        ({"writer": "x", "batch": 1}, "batch must be at least 2 with a writer, not 1"),
    ],
)
def test_bad_settings(settings, message):
    with pytest.raises(UserError) as error:
        Recipe(config=SIZES, **settings)
    assert str(error.value) == message
