"""Float models that :mod:`model.compression.train_float` trains, by name."""

from __future__ import annotations

import torch
from torch import nn

from ..contract.trained_shapes import PRESETS as GATEWARE_PRESETS
from ..support.errors import UserError
from .choices import FLOAT_PRESETS
from .gpt2 import INITIAL_STD
from .shape import FloatShape
from .structure import Compressible, GPT2Layout, SquaredReLULayout

_LAYOUTS = (
    GPT2Layout(
        FloatShape(
            vocab_size=80, d_model=384, n_heads=6, head_dim=64, n_layers=6, d_ff=1536, ctx_len=256
        )
    ),
    Compressible(
        FloatShape(
            vocab_size=128, d_model=128, n_heads=4, head_dim=32, n_layers=4, d_ff=512, ctx_len=128
        )
    ),
    Compressible(GATEWARE_PRESETS["shakespeare-115k"]),
    SquaredReLULayout(GATEWARE_PRESETS["shakespeare-115k"]),
)
PRESETS: dict[str, Compressible] = dict(zip(FLOAT_PRESETS, _LAYOUTS, strict=True))


def preset(name: str) -> Compressible:
    """The layout of that name; UserError listing them if there is none."""
    if name not in PRESETS:
        raise UserError(f"no preset {name!r}; the presets are: {', '.join(sorted(PRESETS))}")
    return PRESETS[name]


def fresh_model(layout: Compressible, seed: int) -> nn.Module:
    """An untrained model, the same for the same seed."""
    generator = torch.Generator().manual_seed(seed)
    if not isinstance(layout, GPT2Layout):
        return layout.model_class(layout.shape, generator)
    model = layout.build()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                parameter.zero_()
            elif parameter.ndim == 2:
                into_residual = "o_proj" in name or "down_proj" in name
                scale = (2 * layout.shape.n_layers) ** -0.5 if into_residual else 1.0
                parameter.normal_(std=INITIAL_STD * scale, generator=generator)
    return model
