"""The driver with two cores of one stream: to the host they are two streams."""

import functools

import pytest

from gateformer.gateware.compiler.program import Program
from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.platforms.host.driver import Accelerator
from gateformer.platforms.simulation.simulated_registers import SimulatedRegisters
from tests.support.shared_simulations import shared
from tests.support.small_accelerator import artifact, reference_text

SAMPLING = {"temperature": 1.0, "top_k": 5}

pytestmark = pytest.mark.slow


@functools.cache
def program() -> Program:
    return Program(artifact().model, HwConfig(2, 4, 4, cores=2))


@shared
def registers() -> SimulatedRegisters:
    return SimulatedRegisters(program())


def test_more_texts_than_cores():
    accelerator = Accelerator(registers(), artifact())
    assert accelerator.info().streams == 2
    texts = [artifact().model.vocabulary[i] for i in (3, 4, 5)]
    found = dict.fromkeys(range(len(texts)), "")
    for index, piece in accelerator.generate_together(texts, 12, seed=3, **SAMPLING):
        found[index] += piece
    for index, text in enumerate(texts):
        assert found[index] == reference_text(text, 12, seed=3 + index, **SAMPLING)


def test_one_core_is_stopped_and_the_other_goes_on():
    accelerator = Accelerator(registers(), artifact())
    first, second = (artifact().model.vocabulary[i] for i in (3, 4))
    stopped, going = accelerator.generate(first, 20), accelerator.generate(second, 20, stream=1)
    next(stopped)
    found = next(going)
    stopped.close()
    assert found + "".join(going) == reference_text(second, 20)
