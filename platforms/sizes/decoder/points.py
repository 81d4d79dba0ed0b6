"""Cores of imported models that calibrate and check the resource model."""

from __future__ import annotations

from ..points import Point, Run, points_of
from .units import GLUE, MODULES

_LLAMA = "random:norm=rms,positions=rotary,activation=silu,gated=1,"
_GPT2 = "random:norm=layer,norm_bias=1,positions=learned,activation=gelu,bias=1,"

_NARROW = f"{_LLAMA}n_layers=1,vocab_size=48,d_model=32,n_heads=4,n_kv_heads=2,d_ff=32,ctx_len=48"
_SPLIT = f"{_GPT2}n_layers=1,vocab_size=48,d_model=24,n_heads=2,head_dim=16,d_ff=48,ctx_len=160"
_LEARNED = f"{_GPT2}n_layers=1,vocab_size=48,d_model=48,n_heads=3,d_ff=64,ctx_len=64"
CALIBRATED = ((_NARROW, 16), (_SPLIT, 8), (_LEARNED, 48))
"""Models and lanes of cores whose modules are counted one by one. Few weights: synthesis takes its
time for each block memory."""
FLATTENED = CALIBRATED[:2]
"""Of them, those that are synthesized whole as well: what the modules' borders cost."""

_DEEP = f"{_LLAMA}n_layers=6,vocab_size=700,d_model=32,n_heads=8,n_kv_heads=4,d_ff=32,ctx_len=256"
_LONG = f"{_GPT2}n_layers=3,vocab_size=4000,d_model=16,n_heads=4,d_ff=24,ctx_len=500"
ALONE = (
    ("decoder sequencer", _DEEP, 16),
    ("decoder sequencer", _LONG, 16),
    ("decoder sampler", _DEEP, 16),
    ("decoder sampler", _LONG, 16),
)
"""Units that follow the number of instructions or tokens, of larger models, side by side."""

_STORIES = (
    f"{_LLAMA}n_layers=1,vocab_size=128,d_model=64,n_heads=8,n_kv_heads=4,d_ff=172,ctx_len=128"
)
_BIASED = (
    f"{_LLAMA}n_layers=1,vocab_size=64,d_model=48,n_heads=3,n_kv_heads=1,d_ff=64,ctx_len=64,bias=1"
)
_HEADS = f"{_GPT2}n_layers=1,vocab_size=65,d_model=64,n_heads=4,head_dim=32,d_ff=128,ctx_len=64"
_NANO = f"{_GPT2}n_layers=1,vocab_size=65,d_model=80,n_heads=5,d_ff=128,ctx_len=96"
CHECKED = ((_STORIES, 64), (_BIASED, 8), (_HEADS, 128), (_NANO, 16))


def decoder_runs(family: str) -> list[Run]:
    """Every run of ``family``: cores with their modules apart, and whole ones."""
    runs = []
    for design in CALIBRATED:
        units = [points_of(unit, _design(*design))[0] for unit in MODULES]
        runs.append(Run(family, tuple(point for point in units if _has(point))))
    alone = [points_of(unit, _design(*design))[0] for unit, *design in ALONE]
    runs.append(Run(family, tuple(alone)))
    whole = [*points_of(GLUE, *(_design(*d) for d in FLATTENED))]
    whole += points_of(GLUE, *(_design(*d) for d in CHECKED), checks=True)
    return [*runs, *(Run(family, (point,)) for point in whole)]


def _design(model: str, lanes: int) -> tuple:
    return model, 1, 1, lanes


def _has(point: Point) -> bool:
    """Whether the core has the module: there is no rotation where positions are learned."""
    return point.what != "rotation" or "positions=rotary" in point.model
