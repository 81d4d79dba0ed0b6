"""The driver with two streams of a model on chip: each text is the reference's, as if alone."""

import functools

import pytest

from gateformer.gateware.compiler.program import Program
from gateformer.gateware.compiler.several_cores import tokens_together
from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.platforms.host.driver import Accelerator
from gateformer.platforms.simulation.simulated_registers import SimulatedRegisters
from tests.support.shared_simulations import shared
from tests.support.small_accelerator import artifact, reference_text

TEXTS = [artifact().model.vocabulary[i] for i in (3, 4, 5)]
SAMPLING = {"temperature": 1.0, "top_k": 5}

pytestmark = pytest.mark.slow


@functools.cache
def program() -> Program:
    return Program(artifact().model, HwConfig(2, 4, 4, streams=2))


@shared
def registers() -> SimulatedRegisters:
    return SimulatedRegisters(program())


@pytest.fixture
def accelerator():
    return Accelerator(registers(), artifact())


def test_info(accelerator):
    assert accelerator.info().streams == 2
    assert str(accelerator.info()).endswith("clock 125 MHz, streams 2")


@pytest.mark.parametrize("stream", [0, 1])
def test_each_stream_alone(accelerator, stream):
    for text, options in zip(TEXTS, ({}, SAMPLING), strict=False):
        pieces = accelerator.generate(text, 9, seed=7, stream=stream, **options)
        assert "".join(pieces) == reference_text(text, 9, seed=7, **options)


def test_more_texts_than_streams(accelerator):
    found = dict.fromkeys(range(len(TEXTS)), "")
    for index, piece in accelerator.generate_together(TEXTS, 12, seed=3, **SAMPLING):
        found[index] += piece
    for index, text in enumerate(TEXTS):
        assert found[index] == reference_text(text, 12, seed=3 + index, **SAMPLING)


def test_one_is_closed_and_the_other_goes_on(accelerator):
    first = accelerator.generate(TEXTS[0], 20)
    second = accelerator.generate(TEXTS[1], 20, stream=1)
    found = next(second)
    next(first)
    first.close()
    assert found + "".join(second) == reference_text(TEXTS[1], 20)
    assert "".join(accelerator.generate(TEXTS[2], 5)) == reference_text(TEXTS[2], 5)


def test_bench_counts_what_is_predicted(accelerator):
    found = accelerator.bench_together()
    stamps = tokens_together(program())
    assert found.generated_cycles == max(cycles[-1] - cycles[0] for cycles in stamps)
