"""A trained model over the serial line: the texts of its reference, from both kinds of console."""

import pytest

from gateformer.gateware.compiler.program import Program
from gateformer.gateware.console.system import ConsoleCore
from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.platforms.console.answer import Kind, Piece
from gateformer.platforms.console.client import ConsoleClient
from gateformer.platforms.console.emulated_console import EmulatedLink, firmware_emulator
from gateformer.platforms.console.load import load
from gateformer.platforms.console.simulation import SimulatedLink
from gateformer.platforms.simulation.simulated_registers import SimulatedRegisters
from tests.support.checkpoints.trained_models import TEXTS, trained
from tests.support.small_accelerator import reference_text

COUNT, SILENCE = 12, 2 * 4096


def program() -> Program:
    return Program(trained(0).model, HwConfig(4, 8, 8, reload=True))


def firmware():
    built = program()
    return EmulatedLink(
        firmware_emulator(trained(0), built, SimulatedRegisters(built), line_speedup=200.0)
    )


def gateware():
    return SimulatedLink(
        ConsoleCore(program(), name="t0", build_id=1, clock_hz=1_000_000, silence=SILENCE)
    )


@pytest.mark.slow  # with random models: test_load_client.py
@pytest.mark.parametrize("link", [firmware, gateware])
def test_the_second_model_s_texts(link):
    client = ConsoleClient(link())
    client.synchronize()
    client.ask("/top-k 0")
    client.ask(f"/tokens {COUNT}")
    texts = set()
    for number in (0, 1, 0):
        artifact = trained(number)
        (piece,) = load(client, artifact, lambda: False)
        shown = f"loaded {artifact.name}, digest {artifact.model.digest[:16]}"
        assert piece == Piece(Kind.INFORMATION, shown)
        for temperature, length in ((0, 3), (0.8, 1), (1.2, 9)):
            prompt = TEXTS[number][:length]
            client.ask(f"/temperature {temperature}")
            client.ask("/seed 4")
            expected = reference_text(prompt, COUNT, temperature, 0, 4, model=artifact)
            assert client.ask(prompt).text == expected
            texts.add(expected)
    assert len(texts) == 6
