"""Models loaded by the driver into the compiled simulation: their text, and every refusal."""

import functools
import random

import pytest

from gateformer.gateware.compiler.program import Program
from gateformer.gateware.host.registers import register
from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.model.contract.artifact import open_model
from gateformer.model.support.errors import UserError
from gateformer.platforms.host.driver import Accelerator
from gateformer.platforms.host.load import image_for, send_image
from gateformer.platforms.host.register_access import RegisterAccess
from gateformer.platforms.simulation.simulated_registers import SimulatedRegisters
from tests.support.small_accelerator import MODEL, artifact, reference_text, simulated_registers

OTHERS = [MODEL.replace("seed=3", f"seed={seed}") for seed in (4, 5)]
LOAD_DATA, LOAD_CONTROL = register("LOAD_DATA").offset, register("LOAD_CONTROL").offset


@functools.cache
def registers() -> SimulatedRegisters:
    return SimulatedRegisters(Program(artifact().model, HwConfig(2, 4, 4, reload=True)))


class Disturbed(RegisterAccess):
    """Registers to which each word of the image goes through ``change(number, word)``: a list."""

    name = "the simulation"

    def __init__(self, change):
        self._change, self._number = change, 0

    def read(self, offset):
        return registers().read(offset)

    def write(self, offset, value):
        words = [value]
        if offset == LOAD_DATA:
            words = self._change(self._number, value)
            self._number += 1
        for word in words:
            registers().write(offset, word)


@pytest.fixture
def accelerator():
    accelerator = Accelerator(registers(), timeout=60)
    accelerator.load(artifact())
    return accelerator


def has_model(accelerator, name: str) -> bool:
    other = open_model(name)
    return accelerator.info().digest == other.model.digest and all(
        "".join(accelerator.generate("".join(other.model.vocabulary[3:6]), 12, *settings))
        == reference_text("".join(other.model.vocabulary[3:6]), 12, *settings, model=other)
        for settings in ((0, 0, 1), (0.9, 5, 3))
    )


@pytest.mark.slow
def test_one_model_after_another(accelerator):
    assert has_model(accelerator, MODEL)
    for name in (*OTHERS, MODEL):
        sent = []
        accelerator.load(name, lambda *progress, sent=sent: sent.append(progress))
        assert has_model(accelerator, name)
        total = len(image_for(accelerator._registers, accelerator.info(), open_model(name)))
        assert sent == [(i + 1, total) for i in range(total)]


def test_a_run_is_aborted(accelerator):
    run = accelerator.generate([1, 2], 20)
    next(run)
    accelerator.load(OTHERS[0])
    assert has_model(accelerator, OTHERS[0])


@pytest.mark.parametrize(
    "change, cause",
    [
        (lambda i, word: [word ^ (i == 100) << 17], "its checksum is wrong"),
        (lambda i, word: [word] * (1 + (i == 300) - (i == 200)), "its checksum is wrong"),
        (lambda i, word: [word ^ (i == 0)], "the core takes images of another shape"),
    ],
)
def test_damaged_on_the_way(accelerator, change, cause):
    kept = cause.endswith("shape")
    broken = Accelerator(Disturbed(change), MODEL, timeout=60)
    with pytest.raises(UserError, match=f"^the simulation: the core refused the image: .*{cause}"):
        broken.load(OTHERS[0])
    assert broken.info().loaded is kept
    if kept:
        assert has_model(broken, MODEL)
    else:
        assert str(broken.info()).startswith("no model (load one), build")
        with pytest.raises(UserError, match=r"the core reports not_loaded \(start without a com"):
            list(broken.generate([1], 3))
    accelerator.load(OTHERS[1])
    assert has_model(accelerator, OTHERS[1])


def test_truncated(accelerator):
    words = image_for(accelerator._registers, accelerator.info(), open_model(OTHERS[0]))
    for end in (1, *random.Random(1).sample(range(2, len(words)), 3), len(words) - 1):
        with pytest.raises(UserError, match=r"still waits for words of the image, or checks it"):
            send_image(accelerator._registers, words[:end], 0.01)
        broken = Accelerator(registers(), MODEL, timeout=60)  # which aborts
        assert not broken.info().loaded
        assert registers().read(register("LOAD_STATUS").offset) >> 2 == 1
    broken.load(OTHERS[0])
    assert has_model(broken, OTHERS[0])


def test_not_while_running(accelerator):
    accelerator.load(OTHERS[0])
    runs = accelerator._streams[0]
    runs.start([1], 20, runs.greedy)
    registers().write(LOAD_CONTROL, 1)
    assert "load_while_busy" in runs.registers.errors()
    assert runs.registers.read("LOAD_STATUS") == {"loaded": 1, "loading": 0, "refusal": 0}
    assert has_model(accelerator, OTHERS[0])


@pytest.mark.parametrize(
    "name, message",
    [
        (MODEL.replace("d_ff=8", "d_ff=12"), "the accelerator has d_ff 8, the model 12; only"),
        (MODEL.replace("vocab_size=64", "vocab_size=63"), "has vocab_size 64, the model 63"),
        (
            MODEL + ",digits=2",
            r"another shape \(other digits per weight.*still there",
        ),
    ],
)
def test_other_shapes_leave_the_model(accelerator, name, message):
    with pytest.raises(UserError, match=message):
        accelerator.load(name)
    assert has_model(accelerator, MODEL)


def test_fixed_models():
    fixed = Accelerator(simulated_registers(), MODEL, timeout=60)
    assert not fixed.info().reload
    with pytest.raises(
        UserError, match=r"is fixed; build it with: gateformer build BOARD --reload$"
    ):
        fixed.load(OTHERS[0])
