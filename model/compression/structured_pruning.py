"""Structured pruning: whole heads and FFN units go, what stays is a smaller dense model.

Importance is the first-order estimate of what the loss would change without the head or unit,
mean over tokens of |output · gradient| (Molchanov et al., "Importance Estimation for Neural Network
Pruning", arXiv 1906.10771; heads: Michel et al., arXiv 1905.10650).
"""

from __future__ import annotations

import functools

import torch
from torch import Tensor, nn

from ..floating.structure import Compressible
from ..support.errors import UserError
from ..training.loop import Windows, cross_entropy


def check_settings(layout: Compressible, heads: int, units: int):
    """Raise UserError unless every layer keeps a head and a unit, and something is removed."""
    shape = layout.shape
    for name, plural, count, present in (
        ("head", "heads", heads, shape.n_heads),
        ("FFN unit", "FFN units", units, shape.d_ff),
    ):
        if count < 0:
            raise UserError(f"{plural} to remove must be at least 0, not {count}")
        if count >= present:
            raise UserError(
                f"cannot remove {count} of {present} {plural} of each layer: the last {name} must "
                f"stay; remove at most {present - 1}"
            )
    if not heads and not units:
        raise UserError("nothing to remove; give --heads or --units")


def importance(model: nn.Module, layout: Compressible, windows: Windows) -> tuple[list, list]:
    """(heads, units): of every layer the importance [n_heads] and [d_ff], measured on windows."""
    totals: dict[str, Tensor] = {}

    def watch(name, module, inputs):
        (x,) = inputs
        x.register_hook(functools.partial(collect, name, x.detach()))

    def collect(name, x, grad):
        totals[name] = (x * grad).flatten(0, 1)

    readers = layout.head_readers() + layout.unit_readers()
    hooks = [
        model.get_submodule(name).register_forward_pre_hook(functools.partial(watch, name))
        for name in readers
    ]
    cross_entropy(model)(*windows).backward()
    model.zero_grad(set_to_none=True)
    for hook in hooks:
        hook.remove()
    n_heads = layout.shape.n_heads
    heads = [
        totals[name].unflatten(-1, (n_heads, -1)).sum(-1).abs().mean(0)
        for name in layout.head_readers()
    ]
    return heads, [totals[name].abs().mean(0) for name in layout.unit_readers()]


def remove(model: nn.Module, layout: Compressible, windows: Windows, heads: int, units: int):
    """(smaller model, its layout): without the least important ``heads`` and ``units`` per layer.

    ``windows`` are what importance is measured on. Raises UserError as :func:`check_settings`.
    """
    check_settings(layout, heads, units)
    by_head, by_unit = importance(model, layout, windows)
    smaller = layout.smaller(layout.shape.n_heads - heads, layout.shape.d_ff - units)
    kept = layout.shrink(
        model.state_dict(),
        [_most_important(values, smaller.shape.n_heads) for values in by_head],
        [_most_important(values, smaller.shape.d_ff) for values in by_unit],
    )
    pruned = smaller.build()
    pruned.load_state_dict(kept)
    return pruned, smaller


def _most_important(values: Tensor, count: int) -> Tensor:
    """Indices of the ``count`` largest values, ascending."""
    return torch.topk(values, count).indices.sort().values
