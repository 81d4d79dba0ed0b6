"""What firmware and bus cost per token, and the firmware as a link of the console's program."""

import random
import sys

import pytest

from gateformer.gateware.compiler.program import Program
from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.model.contract.artifact import open_model, save
from gateformer.model.support.errors import UserError
from gateformer.model.support.optional import install_command
from gateformer.platforms.console import emulated_console, firmware_bench
from gateformer.platforms.console.client import ConsoleClient
from gateformer.platforms.console.emulated_console import (
    LINE_SPEEDUP,
    EmulatedLink,
    emulate,
    firmware_emulator,
)
from gateformer.platforms.console.firmware_bench import measure, table
from gateformer.platforms.firmware import zynq_emulator
from gateformer.platforms.simulation.simulated_registers import SimulatedRegisters
from tests.platforms.firmware.imported_bench import MODELS, programs, registers
from tests.support.small_accelerator import (
    MODEL,
    artifact,
    predicted_cycles,
    program,
    reference_text,
    simulated_registers,
)

CLOCK_MHZ = 125


@pytest.fixture(scope="module")
def emulator():
    emulator = firmware_emulator(
        artifact(), program(), simulated_registers(), cycles_per_instruction=1, line_speedup=100.0
    )
    emulator.run()
    return emulator


@pytest.mark.parametrize("line, sampled", [("/bench", False), ("A", True)])
def test_overhead_is_far_below_a_token(emulator, line, sampled):
    measured = measure(emulator, line)
    assert measured.tokens == 24
    assert measured.cycles == predicted_cycles(1, 24, sampled=sampled, top_k=sampled)
    overhead = measured.seconds * 1e6 - measured.cycles / CLOCK_MHZ
    assert 0 < overhead < 0.05 * 24
    # one look per turn, at least one per token
    assert measured.accesses >= 24 and measured.access_cycles == 6
    assert measured.instructions > 24
    rows = table("x", {line: measured})
    assert rows.row_count == 9
    if not sampled:
        # from before the settings are written, rounded down
        assert 0 <= measured.microseconds - measured.seconds * 1e6 + 1 < 3


def test_an_imported_model(monkeypatch, capsys, tmp_path):
    """The command types a letter that is a token; its first generation is that of ``/bench``."""
    model = MODELS["pieces"]()
    save(tmp_path / "mine.safetensors", model, info={})
    monkeypatch.setattr(firmware_bench, "choose_sizes", lambda *sizes: programs(model).hw)
    monkeypatch.setattr(firmware_bench, "SimulatedRegisters", lambda *_, **__: registers(model))
    monkeypatch.setattr(sys, "argv", ["x", "--model", str(tmp_path / "mine.safetensors")])
    firmware_bench.main()
    told = capsys.readouterr().out
    assert "text after 'a'" in told
    length = model.config.ctx_len
    cycles = sum(programs(model).cycles(position) for position in range(length))
    (row,) = (line for line in told.splitlines() if "core, cycles per token" in line)
    assert f" {cycles / length:,.1f} " in row


def test_a_much_slower_processor_does_not_make_the_core_wait():
    """Each token of this small model is there after 370 cycles or so, 2,000 of the processor's."""
    slow = firmware_emulator(
        artifact(), program(), simulated_registers(), cycles_per_instruction=10, line_speedup=10.0
    )
    slow.run()
    measured = measure(slow, "/bench")
    assert measured.cycles == predicted_cycles(1, 24)


@pytest.mark.parametrize("cycles", ["0", "-1", "1001", "nan"])
def test_cycles_per_instruction(monkeypatch, cycles):
    monkeypatch.setattr(sys, "argv", ["x", f"--cycles-per-instruction={cycles}"])
    with pytest.raises(UserError) as error:
        firmware_bench.main()
    assert str(error.value) == (
        f"cycles per instruction must be above 0 and at most 1000, not {cycles}"
    )


def test_a_line_that_generates_nothing(emulator):
    with pytest.raises(UserError, match=r"^the firmware refuses '/seed': '/seed\\r\\n# seed \d"):
        measure(emulator, "/seed")


def test_the_console_s_program_finds_it(monkeypatch):
    monkeypatch.setattr(emulated_console, "choose_sizes", lambda *sizes: program().hw)
    link = emulate(MODEL)
    client = ConsoleClient(link)
    client.synchronize()
    assert client.ask("/info").information[0].startswith(f"model {MODEL}, digest ")
    client.ask("/temperature 0")
    assert client.ask("To be").text == reference_text("To be", 24)
    link.close()


def test_without_the_emulator(monkeypatch):
    monkeypatch.setattr(zynq_emulator.optional.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError) as error:
        zynq_emulator.ZynqEmulator(None, None, uart_base=0)
    assert str(error.value) == (
        "the emulated processor needs unicorn, which is not installed; "
        f"run: {install_command('firmware')}"
    )


@pytest.mark.slow
def test_the_shipped_model():
    model = open_model("shakespeare-115k")
    core = Program(model.model, HwConfig())
    emulator = firmware_emulator(model, core, SimulatedRegisters(core), line_speedup=LINE_SPEEDUP)
    client, rng = ConsoleClient(EmulatedLink(emulator)), random.Random(1)
    client.synchronize()
    characters = [text for text in model.model.vocabulary if text.isalpha() or text == " "]
    client.ask("/tokens 12")
    for temperature, top_k, seed in ((0, 0, 1), (0.8, 20, 5), (1.2, 0, 7)):
        client.ask(f"/temperature {temperature}")
        client.ask(f"/top-k {top_k}")
        for length in range(1, 80, 12):
            client.ask(f"/seed {seed}")
            prompt = "".join(rng.choices(characters, k=length))
            expected = reference_text(prompt, 12, temperature, top_k, seed, model=model)
            assert client.ask(prompt).text == expected
