"""``build.py sim`` with a model that block memories do not hold."""

import dataclasses
import json
import re

import pytest

from gateformer.gateware.streamed import program
from gateformer.model.contract.artifact import open_model
from gateformer.model.support.errors import UserError
from gateformer.platforms.boards.board import board, boards
from gateformer.platforms.boards.zybo import MEMORY
from gateformer.platforms.building import command, flow, streamed
from gateformer.platforms.families.zynq_address import BOOT_BYTES, IMAGE_FILE_ADDRESS
from gateformer.platforms.host.image_file import HEADER_BYTES
from gateformer.platforms.simulation import generation
from gateformer.platforms.simulation.simulated_memory import words_as_bytes
from tests.support.every_command import ROOT

MODEL = "random:norm=rms,positions=rotary,gated=1,vocab_size=20,d_model=24,n_heads=2,n_layers=1,"
MODEL += "d_ff=30,ctx_len=12"


@pytest.fixture(autouse=True)
def small_memories(monkeypatch):
    monkeypatch.setattr(generation, "MOST_SIMULATED_WEIGHTS", 1000)


def build(*options):
    flow.build(command.parser().parse_args([*options, "--model", MODEL]))


def test_its_text_comes_from_a_modelled_memory(tmp_path, capsys):
    build("sim", "--prompt", "!", "--tokens", "5", "--out", str(tmp_path / "out"))
    printed = capsys.readouterr()
    assert printed.out.startswith("!") and len(printed.out.rstrip("\n")) == 6
    said = " ".join(printed.err.split())
    assert "weights, more than a core on chip holds: its core reads them from external mem" in said
    assert "of the modelled bandwidth" in said
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    memory = report["memory"]
    assert memory["source"].startswith("modelled: DDR3L, 32 bits at 1,066 MT/s; 4 ports of 8 by")
    assert 0 < memory["share"] < 1
    assert memory["bandwidth_bytes_per_s"] == pytest.approx(0.75 * 4 * 1066e6)
    assert report["saturations"] >= 0
    assert memory["bound_tokens_per_s"] == pytest.approx(
        memory["bandwidth_bytes_per_s"] / memory["bytes_per_token"]
    )
    assert memory["memory_bytes"] > memory["image_bytes"] > 5016
    image = tmp_path / "out" / "weights.bin"
    assert image.stat().st_size == 4096 + memory["image_bytes"]
    # a token reads whole bursts of every port
    burst = MEMORY.shape.stripe_bytes
    assert memory["bytes_per_token"] * 4 % burst == 0
    assert memory["cycles_per_token"] > report["cycles"]["by_position"][0]
    assert report["tokens_per_second"]["value"] == pytest.approx(
        report["tokens_per_second"]["clock_mhz"] * 1e6 / memory["cycles_per_token"]
    )


@pytest.mark.parametrize("streams", ["1", pytest.param("2", marks=pytest.mark.slow)])
def test_a_text_of_one_token_has_its_prompts_rates(tmp_path, streams):
    """Not the cycles of the whole prompt, nor what was read to verify the image."""
    sections = []
    for tokens in ("1", "4"):
        out = tmp_path / tokens
        text = ("--prompt", "!" * 4, "--tokens", tokens, "--temperature", "0")
        build("sim", *text, "--streams", streams, "--out", str(out))
        sections.append(json.loads((out / "report.json").read_text())["memory"])
    one, several = sections
    assert one["share"] < 1
    # tokens of the prompt share a pass of several streams
    for name in ("bytes_per_token", "cycles_per_token"):
        assert 0.7 < int(streams) * one[name] / several[name] < 1.3


@pytest.mark.slow
def test_its_core_is_exported_with_its_image(tmp_path):
    build("sim", "--export", "ip", "--out", str(tmp_path / "out"))
    ip = tmp_path / "out" / "ip"
    assert (ip / "weights.bin").stat().st_size > 4096 + 5016
    assert "M03_AXI_ARADDR" in (ip / "gateformer.v").read_text()
    # it replaces that of another design
    build("sim", "--export", "ip", "--clock", "50", "--out", str(tmp_path / "out"))
    assert (ip / "weights.bin").is_file() and "reads 50000" in (ip / "README.md").read_text()


@pytest.mark.parametrize(
    ("options", "name"),
    [
        (("--lanes", "4"), "--lanes"),
        (("--continue",), "--continue"),
    ],
)
def test_what_such_a_core_does_not_have_is_refused_by_name(options, name):
    with pytest.raises(UserError) as caught:
        build("sim", *options)
    assert str(caught.value) == (
        f"{MODEL} has 5,016 weights, which its core reads from external memory; {name} is not "
        "there for such a core yet: leave it out"
    )


def test_a_board_whose_block_memories_hold_its_bits_is_refused():
    with pytest.raises(UserError, match=r"block memories hold up to 1,000; build.py for sim or a"):
        build("zybo")


def test_its_timeline_shows_the_memory(tmp_path):
    build("sim", "--timeline", "--position", "3", "--out", str(tmp_path / "out"))
    picture = (tmp_path / "out" / "timeline.svg").read_text()
    rows = re.findall(r'text-anchor="end">([a-z ]+)</text>', picture)
    assert rows[0] == "memory" and rows[1] == "lanes"
    assert re.search(
        r">One token at position 3: [\d,]+ cycles with a memory that never waits<", picture
    )
    busy = int(re.search(r">memory</text>\n<text[^>]*>(\d+)% busy", picture)[1])
    assert 20 < busy < 100


@pytest.mark.slow
def test_every_tap_and_token_is_compared(capsys):
    build("sim", "--check", "--seed", "3")
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["greedy", "sampled, top-k"]
    assert all(line.endswith("integers on all taps: gateware equals reference") for line in lines)


def test_a_damaged_image_is_refused(tmp_path, monkeypatch):
    """One of the same header, which is kept: the core's verification finds it."""

    class Simulator:
        def __init__(self, program, *, timing, image):
            self.good = (
                image.tobytes() == words_as_bytes(program.memory, program.content()).tobytes()
            )

        def verify(self):
            return self.good

    class Text:
        def print(self, simulator, output):
            assert simulator.good
            raise Written

    class Written(Exception):
        pass

    monkeypatch.setattr(streamed, "StreamedSimulator", Simulator)
    artifact = open_model(MODEL, imported=True)
    compiled = streamed.streamed_program(artifact, MEMORY)
    image = streamed.write_weights(artifact, compiled, tmp_path)
    with pytest.raises(Written):
        streamed.simulate(compiled, MEMORY, 125.0, image, Text(), None)
    content = bytearray(image.read_bytes())
    content[-1] ^= 1
    image.write_bytes(content)
    assert streamed.write_weights(artifact, compiled, tmp_path).read_bytes() == content
    with pytest.raises(UserError) as refused:
        streamed.simulate(compiled, MEMORY, 125.0, image, Text(), None)
    assert str(refused.value) == (
        f"{image} is damaged: its checksum is not the model's; remove it and build again"
    )


def test_a_model_beyond_the_addresses_is_refused(monkeypatch):
    monkeypatch.setattr(program, "ADDRESS_BITS", 14)
    model = open_model(MODEL, imported=True).model
    with pytest.raises(
        UserError, match=r"takes [\d,]+ bytes of external memory, more than the 16,3"
    ):
        program.StreamedProgram(model, MEMORY.shape)


def test_what_the_boards_memory_does_not_hold_is_refused():
    small = dataclasses.replace(MEMORY, size=MEMORY.size - MEMORY.room + 1000)
    artifact = open_model(MODEL, imported=True)
    with pytest.raises(UserError) as refused:
        streamed.streamed_program(artifact, small)
    size = program.StreamedProgram(artifact.model, MEMORY.shape).facts.memory_bytes
    assert str(refused.value) == (
        f"{MODEL} takes {size:,} bytes of external memory, and the board has room for 1,000; "
        "import it with fewer bits or a smaller --context"
    )


def test_an_image_that_would_overwrite_the_boot_code_is_refused():
    """It has room with keys and values, which may lie there later."""
    artifact = open_model(MODEL, imported=True)
    facts = program.StreamedProgram(artifact.model, MEMORY.shape).facts
    least = IMAGE_FILE_ADDRESS + HEADER_BYTES + facts.image_bytes + BOOT_BYTES
    fits, tight = (dataclasses.replace(MEMORY, size=least - less) for less in (0, 1))
    assert streamed.streamed_program(artifact, fits).facts == facts
    with pytest.raises(UserError) as refused:
        streamed.streamed_program(artifact, tight)
    assert str(refused.value) == (
        f"the image of {MODEL} has {facts.image_bytes:,} bytes, and U-Boot, which is at the end of "
        f"the board's memory, can load {facts.image_bytes - 1:,}; import it with fewer bits"
    )


def test_the_room_is_what_the_firmware_takes_for_it():
    """The header of the image's file is before the image."""
    size = IMAGE_FILE_ADDRESS + HEADER_BYTES + 1000
    assert dataclasses.replace(MEMORY, size=size).room == 1000


def test_without_sizes_that_fit_the_model_is_streamed(monkeypatch):
    """Where weights fit and what else there is does not."""
    artifact = open_model(MODEL, imported=True)
    arguments = command.parser().parse_args(["zybo", "--model", MODEL])

    def none():
        raise UserError("no sizes fit")

    board = boards()["zybo"]
    made = streamed.program_of(artifact, board, arguments, none)
    assert isinstance(made, program.StreamedProgram) and made.memory == MEMORY.shape
    for other, options in (("arty-a7-35", []), ("zybo", ["--lanes", "4"])):
        arguments = command.parser().parse_args([other, "--model", MODEL, *options])
        with pytest.raises(UserError, match="no sizes fit"):
            streamed.program_of(artifact, boards()[other], arguments, none)


def test_the_smallest_documented_example_is_streamed(monkeypatch):
    monkeypatch.undo()  # what a simulation holds is as it is
    text = (ROOT / "docs" / "streamed_core.md").read_text(encoding="utf-8")
    spec = re.search(r"python build.py sim .* --model (random:\S+)", text)[1]
    artifact = open_model(spec, imported=True)
    assert f"({artifact.model.config.n_weights:,};" in text
    assert f"more than {generation.MOST_SIMULATED_WEIGHTS:,} weights" in text
    assert streamed.is_streamed(artifact, board("sim"))
