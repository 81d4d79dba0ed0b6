"""Knowledge distillation: a student learns the distribution of a teacher's next characters.

Hinton, Vinyals, Dean, "Distilling the Knowledge in a Neural Network" (arXiv 1503.02531).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..floating.choices import TEACHER_WEIGHT, TEMPERATURE, check_settings
from ..floating.file import open_float
from ..support.errors import UserError
from .loop import LossFunction, cross_entropy

ABSENT_LOGIT = -1e4
"""Of what a teacher cannot say."""


def distillation_loss(
    student: nn.Module,
    teacher: nn.Module,
    temperature: float = TEMPERATURE,
    teacher_weight: float = TEACHER_WEIGHT,
) -> LossFunction:
    """``(1 - w) * cross entropy + w * T**2 * KL(teacher / T || student / T)``, mean per position.

    ``T**2`` keeps the gradient's size independent of the temperature. The teacher gets no gradient.
    """
    check_settings(temperature, teacher_weight)
    teacher.eval()

    def loss(tokens: Tensor, targets: Tensor) -> Tensor:
        logits = student(tokens).flatten(0, 1)
        with torch.no_grad():
            wanted = F.log_softmax(teacher(tokens).flatten(0, 1) / temperature, dim=-1)
        given = F.log_softmax(logits / temperature, dim=-1)
        divergence = F.kl_div(given, wanted, reduction="batchmean", log_target=True)
        hard = F.cross_entropy(logits, targets.flatten())
        return (1 - teacher_weight) * hard + teacher_weight * temperature**2 * divergence

    return loss


def loss_of(model: nn.Module, settings, vocabulary: Sequence[str], ctx_len: int) -> LossFunction:
    """Of a run with ``settings``: a teacher's name or None, ``temperature``, ``teacher_weight``.

    Without a teacher it is cross entropy. Raises UserError as :func:`open_teacher`.
    """
    if settings.teacher is None:
        return cross_entropy(model)
    teacher = open_teacher(settings.teacher, vocabulary, ctx_len)
    return distillation_loss(model, teacher, settings.temperature, settings.teacher_weight)


class Translated(nn.Module):
    """A teacher with another vocabulary than its student's, made to look like the student's.

    Parameters
    ----------
    model : nn.Module; int64 [batch, length] ids to logits [batch, length, its vocab_size]
    vocabulary : sequence of str, the teacher's
    wanted : sequence of str, the student's; empty strings are ids that never occur

    The logits of ids that never occur are far below all others. Raises UserError naming the first
    of the student's characters that the teacher lacks.
    """

    def __init__(self, model: nn.Module, vocabulary: Sequence[str], wanted: Sequence[str]):
        super().__init__()
        ids = {text: i for i, text in enumerate(vocabulary) if text}
        for text in wanted:
            if text and text not in ids:
                raise UserError(
                    f"the teacher lacks the student's character {text!r}; train it on the same text"
                )
        self.model = model
        absent = len(vocabulary)
        self.register_buffer("ids", torch.tensor([ids.get(text, absent) for text in wanted]))

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits [batch, length, the student's vocab_size]."""
        logits = F.pad(self.model(self.ids[tokens]), (0, 1), value=ABSENT_LOGIT)
        return logits[..., self.ids]


def open_teacher(path: str, vocabulary: Sequence[str], ctx_len: int) -> nn.Module:
    """The float model of a file as the teacher of a student of that vocabulary and context.

    Raises UserError if it lacks a character of the vocabulary or has a shorter context.
    """
    source = open_float(path)
    if source.layout.shape.ctx_len < ctx_len:
        raise UserError(
            f"teacher {path} has a context of {source.layout.shape.ctx_len}, but the student has "
            f"{ctx_len}; train it with at least that"
        )
    if source.vocabulary == tuple(vocabulary):
        return source.model
    return Translated(source.model, source.vocabulary, vocabulary)
