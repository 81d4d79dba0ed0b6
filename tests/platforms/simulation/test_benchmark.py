"""``gateformer simulation-bench``: the models that it takes."""

import re
import sys

import pytest

from gateformer.platforms.simulation import benchmark

TRAINED = "random:n_layers=1,d_model=8,n_heads=2,d_ff=16,ctx_len=6,vocab_size=11,seed=3"
IMPORTED = "random:positions=rotary,gated=1,vocab_size=11,d_model=8,n_heads=2,d_ff=12,ctx_len=6"


@pytest.mark.parametrize("model", [TRAINED, IMPORTED])
def test_a_whole_context_of_any_model(monkeypatch, capsys, model):
    monkeypatch.setattr(sys, "argv", ["simulation-bench", model])
    benchmark.main()
    told = capsys.readouterr().out
    assert told.startswith(f"{model}: 6 tokens, ")
    assert re.search(r" [\d,]+ cycles/s of one core; elaborated and compiled ", told)
