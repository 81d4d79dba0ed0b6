"""How often two models choose the same next token."""

from __future__ import annotations

import torch
from torch import Tensor, nn

PROMPTS = 16
"""Excerpts of a text that are continued."""


def fixed_prompts(tokens: Tensor, length: int, count: int = PROMPTS) -> Tensor:
    """Excerpts [count, length] of ``tokens`` int64 [n] at equal distances."""
    starts = torch.linspace(0, len(tokens) - length, count).long()
    return tokens[starts[:, None] + torch.arange(length)]


@torch.no_grad()
def greedy(model: nn.Module, prompts: Tensor, count: int) -> Tensor:
    """The ``count`` likeliest tokens one after the other [prompts, count]."""
    model.eval()
    tokens = prompts
    for _ in range(count):
        tokens = torch.cat([tokens, model(tokens)[:, -1:].argmax(-1)], dim=1)
    return tokens[:, prompts.shape[1] :]


def agreement(a: nn.Module, b: nn.Module, prompts: Tensor, count: int) -> list[float]:
    """Fraction of prompts whose greedy continuations have the same token, by position."""
    return (greedy(a, prompts, count) == greedy(b, prompts, count)).float().mean(0).tolist()
