"""The driver on the compiled simulation: text as the reference's, counts as the program's."""

import dataclasses
import random
import subprocess
import sys
from pathlib import Path

import pytest

from gateformer.gateware.compiler.program import Program
from gateformer.gateware.host.host_interface import MIN_OUTPUT_DEPTH
from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.model.contract.artifact import open_model
from gateformer.model.support.errors import UserError
from gateformer.platforms.host.bench import QUEUED
from gateformer.platforms.host.driver import Accelerator
from gateformer.platforms.host.model import HostModel
from gateformer.platforms.simulation.simulated_registers import BusError, SimulatedRegisters
from tests.support.small_accelerator import (
    MODEL,
    artifact,
    predicted_cycles,
    reference_text,
    reference_tokens,
    simulated_registers,
)

ROOT = Path(__file__).parents[3]
SETTINGS = [(0, 0, 1), (0.8, 0, 2), (1.3, 5, 7), (0.05, 64, 4_294_967_295), (2.55, 1, 0)]
START_CYCLES = 2
"""Busy cycles of a run before its first prompt token's program."""


def prompts(vocabulary, ctx_len, count, seed=1):
    rng = random.Random(seed)
    characters = [text for text in vocabulary if text]
    lengths = [1, ctx_len, *(rng.randint(1, ctx_len) for _ in range(count - 2))]
    return ["".join(rng.choices(characters, k=length)) for length in lengths]


PROMPTS = prompts(artifact().model.vocabulary, 24, 20)


@pytest.fixture
def accelerator():
    return Accelerator(simulated_registers(), MODEL, timeout=60)


@pytest.mark.parametrize("temperature, top_k, seed", SETTINGS)
def test_text_is_the_references(accelerator, temperature, top_k, seed):
    for prompt in PROMPTS:
        text = "".join(accelerator.generate(prompt, 5, temperature, top_k, seed))
        assert text == reference_text(prompt, 5, temperature, top_k, seed), prompt


def test_tokens_need_no_model():
    accelerator = Accelerator(simulated_registers(), timeout=60)
    settings = HostModel.of(artifact()).settings(0, 0, 0)
    assert list(accelerator.generate([3, 1, 2], 4)) == reference_tokens([3, 1, 2], 4, settings)
    with pytest.raises(UserError, match=r"^text needs the model, which is unknown; give Accel"):
        accelerator.generate("a")
    with pytest.raises(UserError, match=r"^a temperature needs the model, which is unknown; g"):
        accelerator.generate([1], temperature=0.5)


def test_the_end_of_the_context(accelerator):
    text = "".join(accelerator.generate("To be", 100, 0.8, seed=3))
    assert text == reference_text("To be", 100, 0.8, seed=3)
    assert len(text) == 24 - 5 + 1
    assert accelerator.last_run.context_full
    assert accelerator.last_run.tokens == 20
    assert accelerator.last_run.cycles == START_CYCLES + predicted_cycles(5, 20, sampled=True)


@pytest.mark.parametrize("count", [19, 20, 21, 70])
def test_a_refed_window_goes_on(accelerator, count):
    text = "".join(accelerator.generate("To be", count, 0.8, 9, 5, refeed=True))
    assert len(text) == count
    assert text == reference_text("To be", count, 0.8, 9, 5, refeed=True)


def test_info(accelerator):
    info, config = accelerator.info(), artifact().model.config
    assert info.digest == artifact().model.digest
    assert info.config == dataclasses.replace(config, digits=1)
    assert (info.rows, info.cols, info.lanes, info.clock_khz) == (2, 4, 4, 125_000)
    assert str(info).splitlines()[0] == (
        f"model {MODEL}, digest {artifact().model.digest[:16]}, build 51a1a7ed"
    )
    assert str(info).splitlines()[1] == (
        f"n_layers {config.n_layers}, d_model {config.d_model}, n_heads {config.n_heads}, "
        f"d_ff {config.d_ff}, ctx_len {config.ctx_len}, vocab_size {config.vocab_size}"
    )


def test_bench_counts_prompt_and_text_apart(accelerator):
    prompt = [1, 2, 3]
    bench = accelerator.bench(prompt)
    assert (bench.prompt_tokens, bench.generated_tokens) == (3, 21)
    assert bench.prompt_cycles == START_CYCLES + predicted_cycles(3, 1)
    assert bench.generated_cycles == predicted_cycles(3, 22) - predicted_cycles(3, 1)
    assert bench.waiting_cycles == 0
    assert bench.prompt_seconds > 0 and bench.generated_seconds > 0
    assert "3 tokens; " in str(bench) and f"{bench.generated_cycles:,} core cycles" in str(bench)
    assert accelerator.bench([0], n=2).generated_tokens == 1


def test_bench_does_not_count_the_wait_for_a_slow_host(accelerator, monkeypatch):
    registers = simulated_registers()
    read = registers.read

    def slow_read(offset):
        registers.run(5000)
        return read(offset)

    monkeypatch.setattr(registers, "read", slow_read)
    bench = accelerator.bench([1, 2, 3])
    assert bench.generated_cycles == predicted_cycles(3, 22) - predicted_cycles(3, 1)
    assert bench.waiting_cycles > 5000


def test_an_early_end_stops_the_core(accelerator):
    pieces = accelerator.generate("a", 24)
    next(pieces)
    assert simulated_registers().busy
    pieces.close()
    simulated_registers().run(2)
    assert not simulated_registers().busy
    assert accelerator.last_run is None
    assert "".join(accelerator.generate("b", 4)) == reference_text("b", 4)


def test_an_older_run_can_not_go_on(accelerator):
    older = accelerator.generate([1], 9)
    next(older)
    newer = accelerator.generate("b", 4)
    text = next(newer)
    with pytest.raises(UserError, match="another run was begun before this one was read; "):
        list(older)
    assert text + "".join(newer) == reference_text("b", 4)


def test_a_core_that_someone_left_running(accelerator):
    next(accelerator._streams[0].tokens([1], 24, HostModel.of(artifact()).settings(0, 0, 0)))
    again = Accelerator(simulated_registers(), MODEL, timeout=60)
    assert "".join(again.generate("b", 4)) == reference_text("b", 4)


@pytest.mark.parametrize(
    "request_, message",
    [
        ({"prompt": ""}, "the prompt must have at least 1 token, but is empty"),
        (
            {"prompt": "a" * 25},
            "the prompt has 25 tokens, but the context holds 24; shorten the prompt",
        ),
        ({"prompt": [64]}, "token 64 is outside the vocabulary of 64"),
        ({"prompt": "a", "n": 0}, "tokens must be at least 1, not 0"),
        (
            {"prompt": "a", "temperature": -1},
            "temperature must be a finite number of at least 0 (0: greedy), not -1",
        ),
        ({"prompt": "a", "top_k": 65}, "top-k must be 0 (off) to 64 (the vocabulary), not 65"),
        ({"prompt": "a", "seed": -1}, "seed must be an integer from 0 to 4294967295, not -1"),
    ],
)
def test_bad_requests_are_refused_at_once(accelerator, request_, message):
    with pytest.raises(UserError) as error:
        accelerator.generate(**request_)
    assert str(error.value) == message


def test_bench_needs_two_tokens(accelerator):
    with pytest.raises(UserError, match=r"^a measurement needs at least 2 generated tokens, not 1"):
        accelerator.bench([0] * 24)


def test_a_character_without_a_token(accelerator):
    with pytest.raises(UserError, match=r"^character '€' at position 1 is not in the vocabulary"):
        accelerator.generate("a€")


def test_another_model_is_refused():
    other = MODEL.replace("seed=3", "seed=4")
    digests = artifact().model.digest[:16], open_model(other).model.digest[:16]
    with pytest.raises(UserError) as error:
        Accelerator(simulated_registers(), other)
    assert str(error.value) == (
        f"the simulation: ARTIFACT_HASH reads {digests[0]}…, expected {digests[1]}… of {other}; "
        "load that model's bitstream, or name the model of this one"
    )


def test_the_bus_refuses_what_is_no_register():
    with pytest.raises(BusError, match=r"^reading 0xFF0 was answered SLVERR$"):
        simulated_registers().read(0xFF0)
    with pytest.raises(BusError, match=r"^writing 0x000 was answered SLVERR$"):
        simulated_registers().write(0x000, 1)


def test_imports_neither_hardware_description_nor_training():
    blocked = ("amaranth", "torch", "rich", "safetensors", "serial")
    code = f"import sys; sys.modules.update(dict.fromkeys({blocked}))"
    code += "; from gateformer.platforms.host import driver, generate; driver.HostModel.open('x')"
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.stderr.splitlines()[-1] == (
        "gateformer.model.support.errors.UserError: reading the model x needs safetensors, which "
        "is not installed; run: pip install safetensors"
    )


@pytest.mark.slow
@pytest.mark.parametrize("temperature, top_k, seed", SETTINGS[:3])
def test_the_shipped_model(temperature, top_k, seed):
    model = open_model("shakespeare-115k")
    registers = SimulatedRegisters(Program(model.model, HwConfig()))
    accelerator = Accelerator(registers, model, timeout=600)
    for prompt in prompts(model.model.vocabulary, 100, 20):
        text = "".join(accelerator.generate(prompt, 12, temperature, top_k, seed))
        assert text == reference_text(prompt, 12, temperature, top_k, seed, model=model), prompt


def test_a_short_run_fits_the_queue():
    assert QUEUED == MIN_OUTPUT_DEPTH
