"""Models for the integer exports: odd shapes, large sums, all numbers of digits."""

import dataclasses

import numpy as np

from gateformer.model.contract import arith
from gateformer.model.contract.artifact import open_model
from gateformer.model.contract.random_model import random_model

ODD = "random:d_model=24,n_heads=3,d_ff=40,ctx_len=20,vocab_size=31"
MIXED = "random:d_model=6,n_heads=2,n_layers=1,d_ff=7,ctx_len=5,vocab_size=9,digits=4,"
SPECS = [
    ODD,
    "random:d_model=1,n_heads=1,n_layers=1,d_ff=1,ctx_len=1,vocab_size=1",
    "random:seed=2,d_model=36,n_heads=3,d_ff=50,n_layers=3,ctx_len=17,vocab_size=11,digits=5",
    "random:seed=3,d_model=20,n_heads=4,digits=3,digits.up_proj=2,ctx_len=40",
    f"{MIXED}digits.q_proj=1,digits.up_proj=2",
]


def loud(model):
    """Residual vectors from all zeros to saturation."""
    rng = np.random.default_rng(0)
    embeddings = {}
    for name in ("token_embedding", "position_embedding"):
        array = getattr(model, name).copy()
        array[0] = 0
        array[1:] = array[1:] * rng.choice([0, 1, 3, 100], size=(len(array) - 1, 1))
        embeddings[name] = array.clip(-127, 127)
    return dataclasses.replace(model, **embeddings, token_mult=255, position_mult=255)


def heavy(digits=5):
    """Sums of products beyond 2**24: all weights and most activations at their largest."""
    model = random_model(
        f"random:d_model=4,n_heads=1,n_layers=1,d_ff=2500,ctx_len=6,vocab_size=7,digits={digits}"
    )
    largest = arith.max_weight(digits)
    matrices = {
        name: dataclasses.replace(
            matrix,
            weight=np.where(np.arange(len(matrix.weight))[:, None] % 3 == 2, -largest, largest)
            + 0 * matrix.weight,
            mult=np.full_like(matrix.mult, 255),
            shift=9,
        )
        for name, matrix in model.matrices.items()
    }
    return dataclasses.replace(model, matrices=matrices)


MODELS = {
    "shipped": lambda: open_model("shakespeare-115k").model,
    **{spec: lambda spec=spec: random_model(spec) for spec in SPECS},
    "loud": lambda: loud(random_model(ODD)),
    "heavy": heavy,
    "heavy, ternary": lambda: heavy(1),
}


def random_tokens(model, shape, seed=0):
    return np.random.default_rng(seed).integers(model.config.vocab_size, size=shape)


def assert_same_bytes(graph):
    """A graph of a model is the same file whenever it is made."""
    model = random_model(ODD)
    first, second = (graph(model).SerializeToString(deterministic=True) for _ in range(2))
    assert first == second
