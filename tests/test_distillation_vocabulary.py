"""A teacher with another vocabulary teaches the characters that both have."""

import pytest
import torch
from torch.nn import functional as F

from model.distillation import Translated, distillation_loss
from model.errors import UserError


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
