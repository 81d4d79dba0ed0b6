"""A decoder core beside the reference: every tap and token of one text."""

from __future__ import annotations

import numpy as np

from gateformer.gateware.host.any_core import check_taps, compile_model
from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.model.contract.decoder.random_decoder import random_decoder
from gateformer.model.contract.decoder.reference import DecoderReference
from gateformer.model.contract.decoder.sampling import DecoderSettings
from tests.gateware.core.core_bench import run_core

FAST = 6
"""Seeds below it never search for top-k or top-p."""


def sampled(seed: int, model) -> DecoderSettings:
    """With a temperature; the slow ones with top-k or top-p, or both (8,000 cycles a token)."""
    cuts = seed >= FAST
    return DecoderSettings.from_user(
        temperature=0.9,
        top_k=min(seed // 2 % 3 * 2, model.config.vocab_size) if cuts else 0,
        top_p=0.8 if cuts and seed % 4 == 1 else None,
        seed=seed,
        logit_scale=model.logit_scale,
        vocab_size=model.config.vocab_size,
    )


def compared(lanes: int, shape: dict, seed: int = 0, stall: float = 0.3) -> None:
    """Prompt and text up to the end of the context, greedy or sampled, with stalls."""
    model = random_decoder(seed, **shape)
    cfg, program = model.config, compile_model(model, HwConfig(rows=1, cols=1, lanes=lanes))
    rng = np.random.default_rng(seed)
    prompt = rng.integers(0, cfg.vocab_size, rng.integers(1, cfg.ctx_len + 1)).tolist()
    count = cfg.ctx_len - len(prompt) + 1
    chosen = DecoderSettings() if seed % 2 == 0 or not stall else sampled(seed, model)
    run = run_core(program, prompt, count, chosen, stall=stall, seed=seed)
    expected = list(DecoderReference(model).generate(prompt, count, chosen))
    assert run.tokens == expected
    fed = [*prompt, *expected[:-1]]
    assert check_taps(program, run.records, fed, len(prompt)) > 0
    if not stall:
        gaps = np.diff(run.cycles).tolist()
        assert gaps == [program.cycles(p) for p in range(len(prompt), len(prompt) + len(gaps))]
