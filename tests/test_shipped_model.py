"""The shipped models: gateware equals reference equals torch, and they are as good as stated."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from gateformer.gateware.compiler.program import Program
from gateformer.gateware.core.taps import check_taps
from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.model.contract.artifact import open_model, shipped_models
from gateformer.model.contract.reference import Reference
from gateformer.model.contract.sampling import SamplingSettings
from gateformer.model.text.tokenizer import CharTokenizer
from gateformer.platforms.boards.board import board
from gateformer.platforms.simulation.simulation import CoreSimulator
from gateformer.platforms.sizes.sizing import choose_sizes

NAME = "shakespeare-115k"
LOSS_BARS = {
    NAME: 1.76,
    "shakespeare-115k-2t": 1.68,
    "shakespeare-zybo": 1.58,
    "stories-zybo": 0.90,
}
"""Validation loss of the integers in nats, at most."""
CORPORA = {
    "input.txt": "tinyshakespeare/input.txt",
    "sample-a.txt": "tinystories/sample-a.txt",
}
"""Where a corpus of that name is, under GATEFORMER_DATA."""
RESULTS = Path(__file__).parent.parent / "docs" / "compression"
PROMPTS = [
    *("ROMEO:", "First Citizen:\n", "To be, or not", "\n", "My lord, ", "KING RICHARD III:\nNow"),
    *("the", "What say you", "O", "Exeunt", "Good morrow,", "Thou art"),
]


@pytest.fixture(scope="module")
def artifact():
    return open_model(NAME)


@pytest.fixture(scope="module", params=[64, 128], ids="{} lanes".format)
def program(artifact, request):
    """A product and two products per multiplier."""
    return Program(artifact.model, HwConfig(lanes=request.param))


@pytest.fixture(scope="module")
def simulator(program):
    return CoreSimulator(program, taps=True)


def settings_of(number: int, model) -> SamplingSettings:
    """Greedy, with temperature, and with top-k, in turn."""
    if number % 3 == 0:
        return SamplingSettings()
    return SamplingSettings.from_user(
        temperature=0.6 + 0.1 * number,
        top_k=0 if number % 3 == 1 else 10 + number,
        seed=number,
        logit_scale=model.logit_scale,
        vocab_size=model.config.vocab_size,
    )


generated = []


@pytest.mark.parametrize("number", range(len(PROMPTS)))
@pytest.mark.slow
def test_every_tap_and_token_to_the_end_of_the_context(number, artifact, program, simulator):
    model = artifact.model
    prompt = CharTokenizer(model.vocabulary).encode(PROMPTS[number])
    settings = settings_of(number, model)
    count = model.config.ctx_len
    tokens = [token for token, _ in simulator.generate(prompt, count, settings)]
    assert tokens == list(Reference(model).generate(prompt, count, settings))
    assert simulator.context_full == (len(tokens) < count)
    fed = (prompt + tokens)[: model.config.ctx_len]
    assert check_taps(program, simulator.tap_records(), fed, len(prompt)) > 100_000
    generated.extend(tokens)


@pytest.mark.slow
def test_those_were_a_thousand_tokens():
    assert len(generated) >= 1000


@pytest.mark.slow_but("128 lanes")
def test_cycles_equal_the_prediction_at_every_position(program, simulator):
    run = list(simulator.generate([10], 128, SamplingSettings()))
    stamps = [simulator.first_beat, *(cycle + 1 for _, cycle in run)]
    assert np.diff(stamps).tolist() == program.cycles_by_position()


def test_cycles_are_within_the_bar(program):
    counts = program.cycles_by_position()
    first, mean, last = {64: (700, 1000, 1200), 128: (600, 680, 850)}[program.hw.lanes]
    assert counts[0] <= first
    assert sum(counts) / len(counts) <= mean
    assert counts[-1] <= last


def test_torch_equals_the_reference_on_every_tap(artifact):
    torch = pytest.importorskip("torch")
    from gateformer.model.training.torch_integer import IntegerForward

    model = artifact.model
    text = CharTokenizer(model.vocabulary).encode((PROMPTS[5] + PROMPTS[1]) * 5)[:128]
    taps, current = {}, {}

    def record(name, value):
        taps[name] = value.detach().numpy().copy()

    logits = IntegerForward.of(model).logits(torch.tensor([text]), record)
    reference = Reference(model, current.__setitem__)
    for position, token in enumerate(text):
        assert (logits[0, position].numpy() == reference.step(token)).all()
        for name, value in current.items():
            by_query = value.ndim == 2  # scores, probabilities: [heads, query, key]
            place = (slice(None), position, slice(position + 1)) if by_query else position
            assert (taps[name][0][place] == value).all(), (position, name)


def test_the_model_is_ternary_and_of_the_reference_shape(artifact):
    cfg = artifact.model.config
    shape = (cfg.vocab_size, cfg.d_model, cfg.n_heads, cfg.n_layers, cfg.d_ff, cfg.ctx_len)
    assert shape == (128, 64, 2, 2, 256, 128)
    assert {digits for _, digits in cfg.digits} == {1}


@pytest.mark.skipif("GATEFORMER_DATA" not in os.environ, reason="GATEFORMER_DATA is not set")
@pytest.mark.parametrize("name", shipped_models())
@pytest.mark.slow_but("shakespeare-115k")
def test_the_stated_loss_is_measured_again(name):
    from gateformer.model.evaluation.evaluate import evaluate
    from gateformer.model.text.corpus import load_corpus

    artifact = open_model(name)
    path = Path(os.environ["GATEFORMER_DATA"]) / CORPORA[artifact.info["corpus"]["name"]]
    corpus = load_corpus(path)
    assert artifact.info["corpus"]["sha256"] == corpus.sha256
    result = evaluate(artifact, corpus)
    assert result.integer_loss == pytest.approx(artifact.info["val_loss_int"], abs=1e-6)
    assert result.integer_loss <= LOSS_BARS[name]


@pytest.mark.skipif("GATEFORMER_DATA" not in os.environ, reason="GATEFORMER_DATA is not set")
@pytest.mark.parametrize("method, gate", [("measure", "ternary-qat"), ("ptq", "int8-ptq")])
@pytest.mark.slow_but("ptq-int8-ptq")
def test_gates_that_need_no_training_hold(method, gate, tmp_path):
    pytest.importorskip("torch")
    from gateformer.model.compression.compress import main
    from gateformer.model.compression.result import load_results

    path = Path(os.environ["GATEFORMER_DATA"]) / CORPORA["input.txt"]
    places = ["--corpus", str(path), "--results", str(tmp_path), "--runs", str(tmp_path / "runs")]
    main([method, NAME, *places])
    (result,) = load_results(tmp_path)
    assert result.gate == gate
    assert result.passed


@pytest.mark.skipif(not RESULTS.is_dir(), reason="the repository's docs are not here")
def test_every_gate_is_passed_by_a_result():
    from gateformer.model.compression.result import GATES, load_results

    passed = {result.gate for result in load_results(RESULTS) if result.gate and result.passed}
    assert passed == {*GATES}


def other_models() -> list:
    """But for vocabulary and weights, shakespeare-zybo is stories-zybo."""
    alike = pytest.param("shakespeare-zybo", marks=pytest.mark.full_size)
    return [*sorted({*shipped_models()} - {NAME, "shakespeare-zybo"}), alike]


@pytest.mark.slow
@pytest.mark.parametrize(
    "numbers", [[2], pytest.param([0, 1], marks=pytest.mark.full_size)], ids=["one", "others"]
)
@pytest.mark.parametrize("name", other_models())
def test_the_others_too_with_the_sizes_for_the_zybo(name, numbers):
    model = open_model(name).model
    program = Program(model, choose_sizes(model, board("zybo")))
    simulator = CoreSimulator(program, taps=True)
    count = model.config.ctx_len
    for number in numbers:
        prompt = CharTokenizer(model.vocabulary).encode(PROMPTS[number])
        settings = settings_of(number, model)
        tokens = [token for token, _ in simulator.generate(prompt, count, settings)]
        assert tokens == list(Reference(model).generate(prompt, count, settings))
        fed = (prompt + tokens)[:count]
        assert check_taps(program, simulator.tap_records(), fed, len(prompt)) > 100_000
    run = list(simulator.generate([10], count, SamplingSettings()))
    stamps = [simulator.first_beat, *(cycle + 1 for _, cycle in run)]
    assert np.diff(stamps).tolist() == program.cycles_by_position()


@pytest.mark.parametrize("name", shipped_models())
def test_the_readme_names_the_text_of_a_loss(name):
    """The corpus by its name or digest, in the row that states the loss or the one before it."""
    info = open_model(name).info
    readme = RESULTS.parent.parent / "README.md"
    if not readme.is_file():
        pytest.skip("the README is not here")
    rows = [line for line in readme.read_text(encoding="utf-8").splitlines() if line[:2] == "| "]
    (row,) = [
        row for row in rows if f"{info['val_loss_int']:.4f}" in row and "gateformer evaluate" in row
    ]
    if info["corpus"]["name"] == "input.txt":
        (general,) = [row for row in rows if "as all losses of `shakespeare-…`" in row]
        assert "Tiny Shakespeare" in general and "shakespeare-" in row
    else:
        assert info["corpus"]["sha256"][:16] in row and info["corpus"]["name"] in row
