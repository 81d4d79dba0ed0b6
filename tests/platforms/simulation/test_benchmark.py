"""``gateformer simulation-bench``: the models that it takes."""

import re
import sys

import pytest

from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.model.contract.artifact import open_model
from gateformer.model.support.errors import UserError
from gateformer.platforms.simulation import benchmark, generation
from gateformer.platforms.synthesis import check_netlist

TRAINED = "random:n_layers=1,d_model=8,n_heads=2,d_ff=16,ctx_len=6,vocab_size=11,seed=3"
IMPORTED = "random:positions=rotary,gated=1,vocab_size=11,d_model=8,n_heads=2,d_ff=12,ctx_len=6"


@pytest.mark.parametrize("model", [TRAINED, IMPORTED])
@pytest.mark.slow
def test_a_whole_context_of_any_model(monkeypatch, capsys, model):
    monkeypatch.setattr(benchmark, "HwConfig", lambda: HwConfig(2, 4, 4))  # compiles faster
    monkeypatch.setattr(sys, "argv", ["simulation-bench", model])
    benchmark.main()
    told = capsys.readouterr().out
    assert told.startswith(f"{model}: 6 tokens, ")
    assert re.search(r" [\d,]+ cycles/s of one core; elaborated and compiled ", told)


@pytest.mark.parametrize("command", [benchmark, check_netlist])
def test_a_model_that_is_too_large_is_refused_before_the_work(monkeypatch, command):
    monkeypatch.setattr(generation, "MOST_SIMULATED_WEIGHTS", 10)
    monkeypatch.setattr(sys, "argv", ["command", IMPORTED])
    with pytest.raises(UserError, match="block memories hold up to 10"):
        command.main()


def test_what_is_said_of_a_large_model_is_of_imported_ones_alone(monkeypatch):
    """No core reads one that was trained here from external memory."""
    monkeypatch.setattr(generation, "MOST_SIMULATED_WEIGHTS", 10)
    generation.refuse_too_large(open_model(TRAINED))
