"""Models of every shape but version 1's: their presets, and what decides one that is trained."""

from __future__ import annotations

import dataclasses

from ..contract.choices import Bits
from ..contract.config import MATRICES, ModelConfig
from ..contract.decoder.arith import MAX_SQUARES
from ..floating.decoder_shape import DecoderShape
from ..floating.twin import NORM_EPS
from ..support.errors import UserError
from .checks import check_count, check_rate, check_seed
from .recipe import Recipe

ROTARY_BASE = 10_000.0

PRESETS = {
    "nanogpt-cpu": DecoderShape(
        **{"vocab_size": 65, "d_model": 128, "n_heads": 4, "n_kv_heads": 4, "head_dim": 32},
        **{"n_layers": 4, "d_ff": 512, "ctx_len": 64},
        **{"norm": "layer", "norm_eps": NORM_EPS, "norm_bias": True, "positions": "learned"},
        **{"activation": "gelu", "gated": False, "bias": frozenset(MATRICES), "tied_head": True},
    )
}
"""``nanogpt-cpu`` is the model that nanoGPT's README trains on a processor, for the 65 characters
of Tiny Shakespeare, with the biases of nanoGPT's ``GPTConfig`` (``--bias none``: without)."""
PRESET_SETTINGS = {"nanogpt-cpu": {"float_steps": 2000, "batch": 12, "float_lr": 1e-3}}
"""Where the recipe of a preset differs from the defaults: nanoGPT's own."""


@dataclasses.dataclass(frozen=True)
class DecoderRecipe:
    """All that decides a trained decoder, except the corpus: a float training, then rounding.

    Parameters
    ----------
    shape : DecoderShape
    weights : str, the format of the layers' matrices: int4 to int8, trits:1 to trits:5
    float_steps : int
    float_lr : float, peak learning rate
    batch : int, windows per step
    seed : int
    average : float, decay per step of the mean of the parameters that is the result; 0: none

    Raises UserError for a number out of range, or a shape that contract version 2 does not hold.
    """

    shape: DecoderShape
    weights: str = "int8"
    float_steps: int = Recipe.float_steps
    float_lr: float = Recipe.float_lr
    batch: int = Recipe.batch
    seed: int = Recipe.seed
    average: float = Recipe.average

    def __post_init__(self):
        check_config(self.shape)
        for name in ("float_steps", "batch"):
            check_count(name, getattr(self, name), 1)
        check_rate("float_lr", self.float_lr)
        check_seed(self.seed)
        if not 0 <= self.average < 1:
            raise UserError(f"average must be at least 0 and below 1, not {self.average:g}")

    def settings(self) -> dict:
        """JSON-ready."""
        shape = dataclasses.asdict(self.shape)
        return {**dataclasses.asdict(self), "shape": shape | {"bias": sorted(self.shape.bias)}}


def preset_recipe(preset: str, shape: DecoderShape, **given) -> DecoderRecipe:
    """The recipe of a preset; what is ``given``, and not None, replaces its settings."""
    given = {name: value for name, value in given.items() if value is not None}
    return DecoderRecipe(shape, **(PRESET_SETTINGS.get(preset, {}) | given))


def check_config(shape: DecoderShape) -> None:
    """UserError unless contract version 2 holds the shape, before anything is trained."""
    same = ("vocab_size", "d_model", "n_heads", "n_layers", "d_ff", "ctx_len", "n_kv_heads")
    layers = [f"layers.{i}.{kind}" for i in range(shape.n_layers) for kind in shape.kinds]
    ends = ["token_embedding", *(() if shape.tied_head else ("lm_head",))]
    bits = Bits()
    if 2 ** (2 * bits.residual) * shape.d_model >= MAX_SQUARES:
        most = MAX_SQUARES // 2 ** (2 * bits.residual) - 1
        raise UserError(
            f"d_model must be at most {most:,} with a residual of {bits.residual} bits, not "
            f"{shape.d_model:,}"
        )
    ModelConfig(
        **{name: getattr(shape, name) for name in same},
        head_dim=shape.head_dim,
        gated=shape.gated,
        tied_head=shape.tied_head,
        formats=dict.fromkeys([*layers, *ends], "int8"),
        bits=bits,
    )
