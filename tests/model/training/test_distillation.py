"""The loss of a student with a teacher, in itself and in training."""

import pytest
import torch
from torch.nn import functional as F

from gateformer.model.contract import artifact, trained_shapes
from gateformer.model.contract.random_model import random_model
from gateformer.model.floating.file import open_float
from gateformer.model.support.errors import UserError
from gateformer.model.training import train
from gateformer.model.training.distillation import Translated, distillation_loss, open_teacher
from gateformer.model.training.loop import cross_entropy
from gateformer.model.training.recipe import Recipe
from tests.support.float_bench import SIZES, VOCABULARY, Bench, model_of, windows


@pytest.mark.parametrize("temperature, weight", [(1.0, 0.5), (3.0, 0.25), (2.0, 1.0)])
def test_loss_is_the_sum_of_its_parts(temperature, weight):
    (student, _), (teacher, _) = model_of("relu", 1), model_of("gpt2", 2)
    inputs, targets = windows()
    loss = distillation_loss(student, teacher, temperature, weight)(inputs, targets)
    p = (teacher(inputs).double() / temperature).softmax(-1)
    log_q = (student(inputs).double() / temperature).log_softmax(-1)
    divergence = (p * (p.log() - log_q)).sum(-1).mean()
    hard = F.cross_entropy(student(inputs).double().flatten(0, 1), targets.flatten())
    expected = (1 - weight) * hard + weight * temperature**2 * divergence
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)


def test_without_weight_it_is_cross_entropy():
    (student, _), (teacher, _) = model_of("relu", 1), model_of("relu", 2)
    loss = distillation_loss(student, teacher, 2.0, 0.0)(*windows())
    assert loss.item() == pytest.approx(cross_entropy(student)(*windows()).item())


def test_a_student_that_is_its_teacher_learns_nothing():
    student, _ = model_of("relu")
    teacher, _ = model_of("relu")
    distillation_loss(student, teacher, 2.0, 1.0)(*windows()).backward()
    assert max(p.grad.abs().max().item() for p in student.parameters()) < 1e-6
    assert all(p.grad is None for p in teacher.parameters())


def test_recipe_learns_from_a_teacher(tmp_path, monkeypatch):
    """Both phases; the teacher's bytes decide the checkpoints' names."""
    bench = Bench(tmp_path)
    monkeypatch.setitem(trained_shapes.PRESETS, "tiny", SIZES)
    arguments = [
        *("--corpus", bench.corpus, "--preset", "tiny", "--runs", tmp_path / "runs"),
        *("--float-steps", 3, "--steps", 4, "--batch", 4, "--out"),
    ]
    commands = {
        "plain": [],
        "taught": ["--teacher", bench.source("relu")],
        "hotter": ["--teacher", bench.source("relu"), "--temperature", 5],
    }
    digests = set()
    for name, extra in commands.items():
        out = tmp_path / f"{name}-out.safetensors"
        assert train.main([str(part) for part in [*arguments, out, *extra]]) is None
        digests.add(artifact.load(out).model.digest)
    assert len(digests) == 3
    assert len(list((tmp_path / "runs").iterdir())) == 6


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"temperature": 0.0}, "temperature must be a positive, finite number, not 0"),
        ({"temperature": float("nan")}, "temperature must be a positive, finite number, not nan"),
        ({"teacher_weight": 1.5}, "teacher weight must be between 0 and 1, not 1.5"),
    ],
)
def test_bad_settings(settings, message):
    with pytest.raises(UserError) as error:
        Recipe(config=SIZES, **settings)
    assert str(error.value) == message


def test_teacher_must_fit(tmp_path):
    path = str(Bench(tmp_path).source("gpt2"))
    teacher = open_teacher(path, VOCABULARY, 16)
    torch.testing.assert_close(teacher.state_dict(), open_float(path).model.state_dict())
    assert isinstance(open_teacher(path, VOCABULARY[:-1], 16), Translated)
    with pytest.raises(UserError) as error:
        open_teacher(path, [*VOCABULARY, "ü"], 16)
    assert str(error.value) == (
        "the teacher lacks the student's character 'ü'; train it on the same text"
    )
    with pytest.raises(UserError) as error:
        open_teacher(path, VOCABULARY, 17)
    assert str(error.value) == (
        f"teacher {path} has a context of 16, but the student has 17; train it with at least that"
    )


def test_a_teacher_needs_float_weights(tmp_path):
    path = tmp_path / "integers.safetensors"
    artifact.save(path, random_model("random:seed=1"))
    with pytest.raises(UserError) as error:
        open_teacher(str(path), VOCABULARY, 16)
    assert str(error.value) == (f"{path} has no float weights; give an artifact with a float twin")


class Bigrams(torch.nn.Module):
    """Logits by the present token alone."""

    def __init__(self, size, seed):
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.table = torch.nn.Parameter(torch.randn(size, size, generator=generator))

    def forward(self, tokens):
        return self.table[tokens]


def test_the_same_characters_with_other_ids():
    teacher, text = Bigrams(3, 1), ["c", "a", "b"]
    wanted = ["", "a", "b", "c"]
    translated = Translated(teacher, text, wanted)
    tokens = torch.tensor([[1, 3, 2]])
    probabilities = F.softmax(translated(tokens), dim=-1)
    expected = F.softmax(teacher(torch.tensor([[1, 0, 2]])), dim=-1)
    assert torch.equal(probabilities[..., 0], torch.zeros(1, 3))
    torch.testing.assert_close(probabilities[..., [3, 1, 2]], expected)


def test_a_student_comes_to_say_what_its_teacher_says():
    teacher, student = Bigrams(3, 1), Bigrams(4, 2)
    translated = Translated(teacher, ["c", "a", "b"], ["", "a", "b", "c"])
    loss = distillation_loss(student, translated, temperature=1.0, teacher_weight=1.0)
    tokens = torch.tensor([[1, 2, 3]])
    optimizer = torch.optim.Adam(student.parameters(), lr=0.1)
    for _ in range(400):
        value = loss(tokens, tokens)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
    assert value.item() < 1e-3
    torch.testing.assert_close(
        F.softmax(student(tokens), -1), F.softmax(translated(tokens), -1), atol=2e-3, rtol=0
    )


def test_a_character_that_the_teacher_lacks():
    with pytest.raises(UserError) as error:
        Translated(Bigrams(2, 1), ["a", "b"], ["a", "", "z"])
    assert str(error.value) == (
        "the teacher lacks the student's character 'z'; train it on the same text"
    )
