"""What every run has, whatever it trains: the phase of a float model, its validation, its name."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import torch
from torch import Tensor, nn

from .loop import LossFunction, Phase, Windows

WEIGHT_DECAY = 0.01
"""Of the float model's matrices."""
VALIDATION_SUBSET = 128
"""Windows of the validation text that the loss during training is measured on."""


def float_phase(
    model: nn.Module, loss: LossFunction, recipe, checkpoint: Path, average: float = 0.0
) -> Phase:
    """The training of a float model by a recipe's ``batch``, ``float_steps``, ``float_lr`` and
    ``seed``; ``average`` as in Phase."""
    matrices, rest = split(model, lambda name: name.endswith("_proj.weight"))
    return Phase(
        name="float",
        model=model,
        loss=loss,
        groups=[
            {"params": matrices, "lr_scale": 1.0, "weight_decay": WEIGHT_DECAY},
            {"params": rest, "lr_scale": 1.0, "weight_decay": 0.0},
        ],
        steps=recipe.float_steps,
        batch=recipe.batch,
        lr=recipe.float_lr,
        seed=recipe.seed,
        checkpoint=checkpoint,
        average=average,
    )


def split(model: nn.Module, belongs) -> tuple[list[Tensor], list[Tensor]]:
    """Parameters whose name ``belongs``, and the others."""
    named = list(model.named_parameters())
    return (
        [parameter for name, parameter in named if belongs(name)],
        [parameter for name, parameter in named if not belongs(name)],
    )


def subset(windows: Windows) -> Windows:
    """At most VALIDATION_SUBSET of the windows, at equal distances."""
    inputs, targets = windows
    count = min(VALIDATION_SUBSET, len(inputs))
    rows = torch.linspace(0, len(inputs) - 1, count).round().long()
    return inputs[rows], targets[rows]


def digest(facts: dict | list) -> str:
    """Short digest of JSON-ready facts, for a file's name."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]
