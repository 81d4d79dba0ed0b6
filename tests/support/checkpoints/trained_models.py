"""Two models of one shape, each trained for a few seconds on a text of its own."""

import contextlib
import functools
import os
import sys
import tempfile
from pathlib import Path
from unittest import mock

from gateformer.model.contract import trained_shapes
from gateformer.model.contract.artifact import Artifact, open_model
from gateformer.model.contract.config import ModelConfig
from gateformer.model.training import train

SHAPE = ModelConfig(vocab_size=128, d_model=16, n_heads=2, n_layers=1, d_ff=24, ctx_len=24)
TEXTS = (
    "".join(f"{n} sheep and {n * n % 97} goats. " for n in range(300)),
    "".join(f"Row {n}: {n % 7} knots, {n % 5} stars; " for n in range(300)),
)
OPTIONS = {"--preset": "tiny", "--float-steps": 60, "--steps": 60, "--batch": 8}


@functools.cache
def trained(number: int) -> Artifact:
    """Model ``number``, 0 or 1; called ``t`` and its number."""
    with tempfile.TemporaryDirectory() as directory, _quietly():
        corpus, out = Path(directory, "corpus.txt"), Path(directory, f"t{number}.safetensors")
        corpus.write_text(TEXTS[number])
        options = {**OPTIONS, "--corpus": corpus, "--out": out, "--runs": Path(directory, "runs")}
        words = [str(part) for option in options.items() for part in option]
        with (
            mock.patch.dict(trained_shapes.PRESETS, {"tiny": SHAPE}),
            mock.patch.object(sys, "argv", ["train", *words]),
        ):
            train.main()
        return open_model(out)


@contextlib.contextmanager
def _quietly():
    with open(os.devnull, "w") as nothing, contextlib.redirect_stdout(nothing):
        yield
