"""Text that a larger float model writes for a small one to learn from, with its distributions.

A small model that sees the same text dozens of times learns some of it by heart. A teacher's own
text does not run out, and each of its characters comes with the distribution that it was drawn
from (Kim, Rush, "Sequence-Level Knowledge Distillation", arXiv 1606.07947).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from ..floating.file import open_float
from ..floating.structure import Compressible
from ..floating.torch_model import FloatModel, merge_heads, split_heads
from ..support.errors import UserError
from ..support.processes import processes
from ..support.progress import track
from ..support.terminal import Terminal
from ..support.whole_file import write_whole

WINDOWS_AT_ONCE = 1024
MOST_PROMPT = 32
"""Characters of the training text that a window begins with, at most."""


class BatchedStream:
    """One character of each of ``batch`` sequences per step, keys and values kept.

    Parameters
    ----------
    model : FloatModel, left as it is
    batch : int
    """

    def __init__(self, model: FloatModel, batch: int):
        cfg = self.config = model.config
        self.model, self.position = model.eval(), 0
        shape = (cfg.n_layers, batch, cfg.n_heads, cfg.ctx_len, cfg.head_dim)
        self.keys, self.values = torch.zeros(shape), torch.zeros(shape)

    @torch.no_grad()
    def step(self, tokens: Tensor) -> Tensor:
        """Logits [batch, vocab_size] after int64 ``tokens`` [batch] at the next position."""
        model = self.model
        residual = model.token_embedding[tokens] + model.position_embedding[self.position]
        for i, layer in enumerate(model.layers):
            residual = residual + layer.o_proj(self._attend(i, layer, layer.attn_norm(residual)))
            hidden = layer.up_proj(layer.ffn_norm(residual)).relu()
            residual = residual + layer.down_proj(hidden)
        self.position += 1
        return model.final_norm(residual) @ model.token_embedding.T

    def _attend(self, i: int, layer: nn.Module, hidden: Tensor) -> Tensor:
        q, k, v = (
            split_heads(project(hidden)[:, None], self.config.n_heads)
            for project in (layer.q_proj, layer.k_proj, layer.v_proj)
        )
        here, known = self.position, self.position + 1
        self.keys[i, :, :, here], self.values[i, :, :, here] = k[:, :, 0], v[:, :, 0]
        scores = q @ self.keys[i, :, :, :known].mT / math.sqrt(self.config.head_dim)
        return merge_heads(scores.softmax(-1) @ self.values[i, :, :, :known])[:, 0]


@dataclasses.dataclass(frozen=True, eq=False)
class TeacherText:
    """Windows of a teacher's text.

    Parameters
    ----------
    tokens : int64 [windows, ctx_len + 1], the student's ids
    log_probs : float16 [windows, ctx_len, teacher's vocab_size], nats, of the next character
    ids : int64 [teacher's vocab_size], the student's ids in the order of ``log_probs``
    """

    tokens: Tensor
    log_probs: Tensor
    ids: Tensor

    def loss(self, student: nn.Module, batch: int, seed: int) -> Callable[[int], Tensor]:
        """Function of the step: mean cross entropy in nats of the teacher's distributions and the
        student's, over ``batch`` windows that seed and step decide; of several processes, this
        one's summand of that mean."""

        def loss(step: int) -> Tensor:
            rows = np.random.default_rng([seed, step]).integers(0, len(self.tokens), batch)
            rows, share = processes().share(torch.from_numpy(rows))
            given = student(self.tokens[rows, :-1]).log_softmax(-1)[..., self.ids]
            return -(self.log_probs[rows].float().exp() * given).sum(-1).mean() * share

        return loss

    def save(self, path: Path):
        """Write it to ``path``, whole or not at all."""
        tensors = {key: value.contiguous() for key, value in vars(self).items()}
        write_whole(path, safetensors.torch.save(tensors))

    @classmethod
    def load(cls, path: Path) -> TeacherText:
        """Inverse of :meth:`save`; raises UserError if the file is damaged."""
        try:
            text = cls(**safetensors.torch.load_file(path))
            text._check()
            return text
        except (SafetensorError, OSError, TypeError, ValueError) as error:
            raise UserError(
                f"written text {path} cannot be read ({type(error).__name__}); "
                "delete it to have it written again"
            ) from error

    def _check(self):
        """ValueError unless the tensors are of their kind and fit each other."""
        tokens, ids, count = self.tokens, self.ids, len(self.ids)
        places = (len(tokens), tokens.shape[-1] - 1, count)
        if tuple(self.log_probs.shape) != places or tokens.dim() != 2 or ids.dim() != 1:
            raise ValueError("shapes that do not fit")
        if tokens.dtype != torch.int64 or ids.dtype != torch.int64 or (ids < 0).any():
            raise ValueError("tokens that are no integers from 0 on")
        if not torch.isin(tokens, ids).all() or not self.log_probs.is_floating_point():
            raise ValueError("tokens that are none of the writer's")
        if self.log_probs.isnan().any() or (self.log_probs > 0).any():
            raise ValueError("log-probabilities above 0")


def write_text(
    teacher: FloatModel, text: Tensor, used: Tensor, windows: int, seed: int
) -> tuple[Tensor, Tensor]:
    """``windows`` windows that the teacher continues to its whole context, at temperature 1.

    Each begins with 1 to MOST_PROMPT characters from a random place of ``text``, int64 [n] of the
    teacher's ids; ids that are not ``used``, bool [vocab_size], are not written. Returns tokens
    int64 [windows, ctx_len + 1] and the distributions that they were drawn from, float16
    [windows, ctx_len, vocab_size] log-probabilities.
    """
    cfg = teacher.config
    places = np.random.default_rng(seed)
    draws = torch.Generator().manual_seed(seed)
    tokens = torch.zeros(windows, cfg.ctx_len + 1, dtype=torch.int64)
    log_probs = torch.empty(windows, cfg.ctx_len, cfg.vocab_size, dtype=torch.float16)
    starts = range(0, windows, WINDOWS_AT_ONCE)
    for start in track(starts, "teacher writes", Terminal(stderr=True)):
        part = slice(start, min(start + WINDOWS_AT_ONCE, windows))
        count = part.stop - part.start
        begin = torch.from_numpy(places.integers(0, len(text) - MOST_PROMPT, count))
        prompts = text[begin[:, None] + torch.arange(MOST_PROMPT)]
        lengths = torch.from_numpy(places.integers(1, MOST_PROMPT + 1, count))
        stream, current = BatchedStream(teacher, count), prompts[:, 0]
        tokens[part, 0] = current
        for position in range(cfg.ctx_len):
            given = stream.step(current).masked_fill(~used, -math.inf).log_softmax(-1)
            current = torch.multinomial(given.exp(), 1, generator=draws)[:, 0]
            if position + 1 < MOST_PROMPT:
                prompted = position + 1 < lengths
                current = torch.where(prompted, prompts[:, position + 1], current)
            log_probs[part, position] = given.half()
            tokens[part, position + 1] = current
    return tokens, log_probs


def open_writer(
    path: str, vocabulary: Sequence[str], ctx_len: int, text: Tensor, windows: int, seed: int
) -> TeacherText:
    """What the float model of a file writes for a student of that vocabulary and context.

    Parameters
    ----------
    path : str, artifact or float checkpoint
    vocabulary : sequence of str, the student's
    ctx_len : int, the student's
    text : int64 [n], the student's ids of the text whose pieces are continued
    windows, seed : int, see :func:`write_text`

    Raises UserError if the model has another architecture, context or set of characters.
    """
    source = open_float(path)
    if source.layout.architecture != Compressible.architecture:
        raise UserError(f"writer {path} has architecture {source.layout.architecture}, not relu")
    if source.layout.shape.ctx_len != ctx_len:
        raise UserError(
            f"writer {path} has a context of {source.layout.shape.ctx_len}, but the student has "
            f"{ctx_len}; train it with that"
        )
    students = {character: i for i, character in enumerate(vocabulary) if character}
    writers = {character: i for i, character in enumerate(source.vocabulary) if character}
    if students.keys() != writers.keys():
        character = min(students.keys() ^ writers.keys())
        lacks = "the student" if character in writers else f"writer {path}"
        raise UserError(f"{lacks} lacks the character {character!r}; train both on the same text")
    to_student = torch.tensor([students.get(character, -1) for character in source.vocabulary])
    to_writer = torch.tensor([writers.get(character, -1) for character in vocabulary])
    used = to_student >= 0
    tokens, log_probs = write_text(source.model, to_writer[text], used, windows, seed)
    return TeacherText(to_student[tokens], log_probs[..., used], to_student[used])
