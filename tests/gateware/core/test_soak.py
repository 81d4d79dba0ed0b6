"""A long run of the compiled simulation, sequence after sequence, equal to the reference.

::

    pytest -m full_size -s tests/gateware/core/test_soak.py
"""

import random
import time

import pytest

from gateformer.gateware.compiler.reload_image import model_image
from gateformer.gateware.core.loader import Refusal
from gateformer.model.contract.reference import Reference
from gateformer.model.contract.sampling import SamplingSettings
from gateformer.platforms.support.progress import working
from tests.support.reload_bench import SHAPES, model, program, simulator

SHORT, TOKENS = 12_000, 200_000
SEQUENCES_PER_MODEL = 100


def random_settings(rng: random.Random, vocab_size: int) -> SamplingSettings:
    if rng.random() < 0.25:
        return SamplingSettings()
    return SamplingSettings(
        temperature_mult=rng.randrange(1, 256),
        temperature_shift=rng.randrange(32),
        top_k=rng.choice((0, rng.randrange(1, vocab_size + 1))),
        seed=rng.getrandbits(32),
    )


def soak(shape: str, tokens: int, seed: int) -> tuple[int, int, int]:
    """Generate at least ``tokens`` with a core whose model changes; (tokens, sequences, models)."""
    core, rng = simulator(shape, 0.0), random.Random(seed)
    compared = sequences = models = 0
    while compared < tokens:
        if sequences % SEQUENCES_PER_MODEL == 0:
            models += 1
            loaded = model(shape, 10 + models)
            words = model_image(loaded, program(shape).layout, program(shape).limits)
            assert core.load(words) is Refusal.NONE
        sequences += 1
        cfg = loaded.config
        length = rng.randrange(1, min(cfg.ctx_len, 6))
        prompt = [rng.randrange(cfg.vocab_size) for _ in range(length)]
        count = cfg.ctx_len - length + 1 if rng.random() < 0.9 else rng.randrange(1, cfg.ctx_len)
        settings = random_settings(rng, cfg.vocab_size)
        actual = [token for token, _ in core.generate(prompt, count, settings)]
        assert actual == list(Reference(loaded).generate(prompt, count, settings)), (
            f"model {10 + models}, sequence {sequences}: {prompt}, {settings}"
        )
        compared += len(actual)
    return compared, sequences, models


@pytest.mark.slow
@pytest.mark.parametrize("total", [SHORT, pytest.param(TOKENS, marks=pytest.mark.full_size)])
@pytest.mark.parametrize("shape", SHAPES)
def test_soak(shape, total):
    begin = time.monotonic()
    with working(f"soak: {shape}"):
        tokens, sequences, models = soak(shape, total // len(SHAPES), seed=1)
    print(
        f"\n{shape}: {tokens:,} tokens of {sequences:,} sequences with {models} models, one loaded "
        f"after the other, equal to the reference ({time.monotonic() - begin:.0f} s)"
    )
