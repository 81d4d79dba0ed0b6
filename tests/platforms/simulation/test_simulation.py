"""The compiled core against the reference, on every tap."""

import re

import numpy as np
import pytest

from gateformer.gateware.compiler.program import Program
from gateformer.gateware.core.taps import check_taps
from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.model.contract.random_model import random_model
from gateformer.model.contract.reference import Reference
from gateformer.model.contract.sampling import SamplingSettings
from gateformer.model.support.errors import UserError
from gateformer.platforms.simulation.simulation import CoreSimulator


@pytest.mark.slow
def test_waveform_of_a_core(program, tmp_path):
    path = tmp_path / "core.vcd"
    simulator = CoreSimulator(program, waveform=(path, 0, 300))
    tokens = [token for token, _ in simulator.generate([3, 1, 4], 5, SamplingSettings())]
    assert tokens == list(Reference(program.model).generate([3, 1, 4], 5, SamplingSettings()))
    names = re.findall(r"^\$var \w+ \d+ \S+ (\S+)", path.read_text(), re.MULTILINE)
    assert {"busy", "chosen__valid", "fsm_state"} <= set(names)


SHAPE = "random:vocab_size=11,d_model=8,n_heads=2,n_layers=1,d_ff=16,ctx_len=12,seed=3"


@pytest.fixture(scope="module")
def program():
    return Program(random_model(SHAPE), HwConfig(2, 4, 4))


SAMPLED = SamplingSettings(temperature_mult=128, temperature_shift=6, top_k=5, seed=7)


@pytest.mark.parametrize("settings", [SamplingSettings(), SAMPLED])
@pytest.mark.parametrize("stall", [0, 0.6])
def test_core_equals_reference_on_every_tap(program, settings, stall):
    simulator = CoreSimulator(program, taps=True, stall=stall)
    for prompt, count in (([3, 1, 4], 20), ([5], 4)):  # to the context's end, and short of it
        tokens = [token for token, _ in simulator.generate(prompt, count, settings)]
        assert tokens == list(Reference(program.model).generate(prompt, count, settings))
        assert simulator.context_full == (count == 20)
        fed = (prompt + tokens)[: len(prompt) + len(tokens) - 1]
        assert check_taps(program, simulator.tap_records(), fed, len(prompt)) > 0


def test_simulated_cycles_are_the_predicted_ones(program):
    simulator = CoreSimulator(program, taps=True)
    stamps = [cycle + 1 for _, cycle in simulator.generate([2], 12, SamplingSettings())]
    counts = np.diff([simulator.first_beat, *stamps])
    assert list(counts) == program.cycles_by_position()


def test_an_abandoned_sequence_is_aborted(program):
    simulator = CoreSimulator(program, taps=True)
    expected = list(Reference(program.model).generate([1, 2], 5, SamplingSettings()))
    run = simulator.generate([1, 2], 5, SamplingSettings())
    assert next(run)[0] == expected[0]
    again = [token for token, _ in simulator.generate([1, 2], 5, SamplingSettings())]
    assert again == expected


@pytest.mark.parametrize("settings", [SamplingSettings(), SAMPLED])
def test_an_abort_at_any_cycle_leaves_nothing_behind(program, settings):
    """The next sequence starts two cycles after the abort, whatever the pipelines held."""
    rng = np.random.default_rng(5)
    simulator = CoreSimulator(program, taps=True)
    longest = program.cycles(10, sampled=True, top_k=True)
    expected = list(Reference(program.model).generate([4, 1], 6, settings))
    for _ in range(120):
        run = simulator.generate([2, 7, 7], 15, SAMPLED)
        next(run)
        simulator.simulation.step(int(rng.integers(0, longest)))
        tokens = [token for token, _ in simulator.generate([4, 1], 6, settings)]
        assert tokens == expected
        fed = [4, 1, *tokens][:7]
        assert check_taps(program, simulator.tap_records(), fed, 2) > 0


def test_bad_request_is_refused_before_it_runs(program):
    simulator = CoreSimulator(program, taps=True)
    with pytest.raises(UserError, match="the prompt must have at least 1 token"):
        simulator.generate([], 5, SamplingSettings())
    assert simulator.simulation.cycles == 0
