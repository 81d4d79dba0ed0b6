"""Cores of imported models that calibrate and check the resource model."""

from __future__ import annotations

from ..points import Point, Run, points_of
from .units import GLUE, MODULES

_LLAMA = "random:norm=rms,positions=rotary,activation=silu,gated=1,"
_GPT2 = "random:norm=layer,norm_bias=1,positions=learned,activation=gelu,bias=1,"

_NARROW = f"{_LLAMA}vocab_size=64,d_model=32,n_heads=4,n_kv_heads=2,n_layers=2,d_ff=64,ctx_len=64"
_WIDE = (
    f"{_LLAMA}vocab_size=300,d_model=64,n_heads=8,n_kv_heads=4,n_layers=3,d_ff=172,ctx_len=256,"
    "tied_head=0,weights=int4"
)
_LEARNED = f"{_GPT2}vocab_size=96,d_model=48,n_heads=3,n_layers=1,d_ff=192,ctx_len=160"
CALIBRATED = ((_NARROW, 16), (_LEARNED, 8), (_WIDE, 32), (_LEARNED, 48))
"""Models and lanes of cores whose modules are counted one by one."""
FLATTENED = CALIBRATED[:2]
"""Of them, those that are synthesized whole as well: what the modules' borders cost."""

_STORIES = (
    f"{_LLAMA}vocab_size=512,d_model=64,n_heads=8,n_kv_heads=4,n_layers=2,d_ff=172,ctx_len=512"
)
_GROUPED = (
    f"{_LLAMA}vocab_size=128,d_model=96,n_heads=6,n_kv_heads=2,n_layers=1,d_ff=256,ctx_len=128,"
    "bias=1,seed=1"
)
_NANO = f"{_GPT2}vocab_size=65,d_model=128,n_heads=4,n_layers=1,d_ff=512,ctx_len=64"
CHECKED = ((_STORIES, 64), (_GROUPED, 8), (_NANO, 128), (_NANO, 16))


def decoder_runs(family: str) -> list[Run]:
    """Every run of ``family``: cores with their modules apart, and whole ones."""
    runs = []
    for design in CALIBRATED:
        units = [points_of(unit, _design(*design))[0] for unit in MODULES]
        runs.append(Run(family, tuple(point for point in units if _has(point))))
    whole = [*points_of(GLUE, *(_design(*d) for d in FLATTENED))]
    whole += points_of(GLUE, *(_design(*d) for d in CHECKED), checks=True)
    return [*runs, *(Run(family, (point,)) for point in whole)]


def _design(model: str, lanes: int) -> tuple:
    return model, 1, 1, lanes


def _has(point: Point) -> bool:
    """Whether the core has the module: there is no rotation where positions are learned."""
    return point.what != "rotation" or "positions=rotary" in point.model
