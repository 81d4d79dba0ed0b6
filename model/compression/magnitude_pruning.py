"""Unstructured pruning: the weights of the least magnitude become zero and stay zero.

Han et al., "Learning both Weights and Connections" (arXiv 1506.02626); several rounds of it with
training between them lose less than one.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.utils import prune

from ..support.errors import UserError
from ..training.checks import check_count

SCOPES = ("global", "layer")


def check_settings(fraction: float, scope: str, rounds: int):
    """Raise UserError for a fraction outside 0…1, an unknown scope or less than one round."""
    if not 0 <= fraction <= 1:
        raise UserError(f"pruning fraction must be between 0 and 1, not {fraction:g}")
    if scope not in SCOPES:
        raise UserError(f"scope must be one of {', '.join(SCOPES)}, not {scope!r}")
    check_count("rounds", rounds, 1)


def round_fractions(fraction: float, rounds: int) -> list[float]:
    """Fraction of zeros after each round: every round leaves the same share of what is left."""
    return [1 - (1 - fraction) ** (number / rounds) for number in range(1, rounds + 1)]


def prune_to(model: nn.Module, matrices: list[str], fraction: float, scope: str):
    """Add masks with which ``fraction`` of the matrices' weights are zero; earlier zeros stay.

    ``scope`` "global" compares all matrices with each other, "layer" prunes each by that fraction.
    """
    modules = [model.get_submodule(name) for name in matrices]
    groups = [modules] if scope == "global" else [[module] for module in modules]
    for group in groups:
        total = sum(module.weight.numel() for module in group)
        zeros = sum(int(mask(module).numel() - mask(module).sum()) for module in group)
        more = round(fraction * total) - zeros
        if more > 0:
            parameters = [(module, "weight") for module in group]
            prune.global_unstructured(parameters, prune.L1Unstructured, amount=more)


def mask(module: nn.Module) -> torch.Tensor:
    """1 where the module's weight is kept, 0 where it was pruned."""
    return getattr(module, "weight_mask", torch.ones_like(module.weight))


def bake(model: nn.Module, matrices: list[str]):
    """Make the zeros part of the weights and remove the masks."""
    for name in matrices:
        module = model.get_submodule(name)
        if prune.is_pruned(module):
            prune.remove(module, "weight")
