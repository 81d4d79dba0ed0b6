"""``build.py --streams``: several texts from one pass over a streamed model."""

import argparse
import json

import pytest

from gateformer.gateware.core.taps import Mismatch
from gateformer.gateware.streamed.program import StreamedProgram
from gateformer.model.contract.artifact import open_model
from gateformer.model.contract.decoder.sampling import DecoderSettings
from gateformer.model.support.errors import UserError
from gateformer.platforms.boards.board import board
from gateformer.platforms.boards.zybo import MEMORY
from gateformer.platforms.building import command, flow, streamed_choice, streams
from gateformer.platforms.building.size_choice import for_streams
from gateformer.platforms.simulation import generation
from gateformer.platforms.simulation.several_streams import Request
from gateformer.platforms.simulation.streams import StreamsSimulator
from tests.support.user_error import no_integer

from .test_streamed import MODEL


@pytest.fixture(autouse=True)
def small_memories(monkeypatch):
    monkeypatch.setattr(generation, "MOST_SIMULATED_WEIGHTS", 1000)


def build(*options):
    flow.build(command.parser().parse_args([*options, "--model", MODEL]))


TEXT = ("--prompt", "!" * 6, "--tokens", "3")


@pytest.mark.parametrize("drawn", [(), ("--temperature", "1")], ids=["greedy", "drawn"])
@pytest.mark.slow
def test_all_streams_together_give_more_tokens(tmp_path, capsys, drawn):
    greedy = () if drawn else ("--temperature", "0")
    build("sim", *TEXT, *drawn, *greedy, "--streams", "2", "--out", str(tmp_path / "two"))
    printed = capsys.readouterr()
    assert printed.out.startswith("!" * 6) and len(printed.out.rstrip("\n")) == 9
    said = " ".join(printed.err.split())
    assert "2 streams at once (simulated): " in said
    assert "prompt of one text, up to 2 tokens to a pass: " in said
    report = json.loads((tmp_path / "two" / "report.json").read_text())
    found, single = report["streams"], report["streams"]["single"]
    clock = report["tokens_per_second"]["clock_mhz"]
    assert found["count"] == 2
    for rates in (found, single):
        assert rates["tokens_per_second"] * rates["cycles_per_token"] == pytest.approx(clock * 1e6)
    # the figures of a whole report are one stream's
    assert single["cycles_per_token"] == report["memory"]["cycles_per_token"]
    assert single["tokens_per_second"] == report["tokens_per_second"]["value"]
    # one pass for both, whose own part is the smaller one
    assert 0.5 < found["cycles_per_token"] / single["cycles_per_token"] < 0.9
    assert 0.4 < found["prompt_cycles_per_token"] / single["prompt_cycles_per_token"] < 0.9


@pytest.mark.slow
def test_cycles_of_a_report_are_those_of_one_stream_alone(tmp_path):
    for count in ("1", "2"):
        build("sim", *TEXT, "--streams", count, "--out", str(tmp_path / count))
    one, two = (json.loads((tmp_path / n / "report.json").read_text()) for n in "12")
    assert "streams" not in one
    assert one["cycles"]["added_by_sampling"] == two["cycles"]["added_by_sampling"]
    program = StreamedProgram(open_model(MODEL, imported=True).model, MEMORY.shape, 2)
    positions = range(program.model.config.ctx_len)
    alone = [program.cycles([position, None]) for position in positions]
    assert two["cycles"]["by_position"] == alone
    for position in positions[1:]:
        first = one["cycles"]["by_position"][position]
        assert first < alone[position] < program.cycles(position) < 2 * first


@pytest.mark.slow
def test_an_image_of_other_streams_is_written_again(tmp_path, capsys):
    out = str(tmp_path / "out")
    images = []
    for count in ("1", "2", "2"):
        build("sim", *TEXT, "--streams", count, "--out", out)
        images.append((tmp_path / "out" / "weights.bin").read_bytes())
    assert images[0] != images[1] == images[2]
    said = " ".join(capsys.readouterr().err.split())
    assert said.count("removed what was of another design: report.json, weights.bin") == 1


def test_streams_go_into_a_directory_of_their_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    build("sim", "--timeline", "--streams", "3")
    (directory,) = (tmp_path / "build").iterdir()
    assert directory.name.endswith("-streams3")
    assert (directory / "timeline.svg").is_file()


def test_a_timeline_of_a_token_of_each(tmp_path, capsys):
    build("sim", "--timeline", "--position", "3", "--streams", "2", "--out", str(tmp_path / "a"))
    said = capsys.readouterr().out
    assert said.startswith("a token of each of 2 streams at position 3: ")
    assert " cycles with a memory that never waits; " in said
    picture = (tmp_path / "a" / "timeline.svg").read_text()
    assert "A token of each of 2 streams at position 3: " in picture


@pytest.mark.slow
def test_every_tap_and_token_of_all_is_compared(capsys):
    build("sim", "--check", "--seed", "3", "--streams", "2")
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(",")[0] for line in lines] == ["greedy: 2 streams", "sampled"]
    assert all(line.endswith("integers on all taps: gateware equals reference") for line in lines)


@pytest.mark.parametrize("count", ["0", "9", "-1", "AUTO"])
def test_streams_out_of_range(count):
    with pytest.raises(UserError) as refused:
        build("sim", f"--streams={count}")
    assert str(refused.value) == no_integer("--streams", "from 1 to 8 or auto", count)


def refusal(*options) -> str:
    with pytest.raises(UserError) as refused:
        flow.build(command.parser().parse_args(options))
    return str(refused.value)


@pytest.mark.parametrize("streams", ["2", "auto"])
@pytest.mark.parametrize("option", ["--timeline", "--export=ip"])
def test_an_imported_model_on_chip_has_one_where_it_could_be_in_memory(
    streams, option, monkeypatch
):
    monkeypatch.setattr(generation, "MOST_SIMULATED_WEIGHTS", 10_000)
    assert refusal("zybo", "--model", MODEL, "--streams", streams, option) == (
        "--streams of an imported model is for a core that reads it from external memory, and "
        f"{MODEL} is held on chip for zybo; leave it out"
    )


def test_an_imported_model_on_chip_has_one(monkeypatch):
    monkeypatch.setattr(generation, "MOST_SIMULATED_WEIGHTS", 10_000)
    assert refusal("sim", "--model", MODEL, "--streams", "2") == (
        "--streams of an imported model is for a core that reads it from external memory, and "
        f"{MODEL} is held on chip for sim; leave it out"
    )


def test_where_a_core_on_chip_has_one():
    assert refusal("zybo", "--streams", "2", "--export", "ip") == (
        "--export writes a core of 1 stream for shakespeare-115k, not 2; leave --streams out"
    )
    assert refusal("sim", "--streams", "2", "--reload") == (
        "a core that can be loaded with other models takes 1 stream, not 2: leave out --reload or "
        "--streams"
    )


def test_a_number_of_streams_is_chosen_for_a_board():
    assert refusal("sim", "--streams", "auto") == (
        "--streams auto is for a board, which not everything fits; give sim a number of 1 to 8"
    )
    assert refusal("zybo", "--streams", "auto", "--cores", "2") == (
        "--streams auto chooses the cores, too; leave --cores out"
    )
    assert refusal("zybo", "--streams", "auto", "--reload") == (
        "a core that can be loaded with other models takes 1 stream, not auto: leave out --reload "
        "or --streams"
    )


@pytest.mark.parametrize(
    ("options", "model", "several"),
    [
        ((), "shakespeare-115k", False),
        (("--streams", "1", "--cores", "1"), "shakespeare-115k", False),
        (("--streams", "2"), "shakespeare-115k", True),
        (("--cores", "2"), "shakespeare-115k", True),
        (("--streams", "auto"), "shakespeare-115k", True),
        (("--streams", "2"), MODEL, False),
    ],
)
def test_who_gets_the_board_s_sizes_for_several_streams(options, model, several):
    arguments = command.parser().parse_args(["ulx3s", *options])
    alone = board("ulx3s")
    chosen = for_streams(open_model(model, imported=True), alone, arguments)
    assert (chosen is not alone) == several


def test_where_there_is_one_core(monkeypatch):
    assert refusal("zybo", "--cores", "2", "--export", "ip") == (
        "--export writes 1 core for shakespeare-115k, not 2; leave --cores out"
    )
    assert refusal("sim", "--cores", "2", "--reload") == (
        "a core that can be loaded with other models is 1 core, not 2: leave out --reload or "
        "--cores"
    )
    assert refusal("sim", "--cores", "0") == no_integer("--cores", "from 1 to 8", "0")
    assert refusal("sim", "--cores", "3", "--streams", "3") == (
        "3 cores with 3 streams each are 9 streams, and 8 are possible; choose fewer cores or "
        "streams"
    )
    monkeypatch.setattr(generation, "MOST_SIMULATED_WEIGHTS", 10_000)
    assert refusal("sim", "--model", MODEL, "--cores", "2") == (
        f"--cores is for models that were trained here, and {MODEL} is imported; leave it out"
    )


def test_a_board_without_memory_has_no_streams():
    with pytest.raises(UserError) as refused:
        flow.build(command.parser().parse_args(["arty-a7-35", "--model", MODEL, "--streams=2"]))
    assert str(refused.value) == (
        "--streams of an imported model is for a core that reads it from external memory, which "
        "arty-a7-35 does not have; leave it out"
    )


@pytest.mark.slow
def test_fewer_ports(tmp_path):
    build("sim", *TEXT, "--ports", "2", "--out", str(tmp_path / "out"))
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert "; 2 ports of 8 bytes" in report["memory"]["source"]
    hardware = report["hardware"]
    assert [hardware[name] for name in ("streams", "ports", "port_bytes")] == [1, 2, 8]


@pytest.mark.parametrize(
    ("name", "ports", "message"),
    [
        ("sim", "3", "ports must be one of 1, 2, 4 for sim, not 3"),
        ("zybo", "8", "ports must be one of 1, 2, 4 for zybo, not 8"),
        *(
            (
                *("ulx3s", ports),
                "--ports is of the external memory, which ulx3s does not have; leave it out",
            )
            for ports in "12"
        ),
    ],
)
def test_ports_that_a_board_does_not_have(name, ports, message):
    with pytest.raises(UserError) as refused:
        build(name, "--ports", ports)
    assert str(refused.value) == message


def test_as_many_streams_as_fit_unless_asked(capsys):
    artifact, arguments = (
        open_model(MODEL, imported=True),
        argparse.Namespace(streams=None, clock=None),
    )
    assert streamed_choice.streams_of(artifact, board("zybo-z7-20"), arguments) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert said == (
        "2 streams are predicted to fit zybo-z7-20: so many texts side by side; --streams chooses "
        "(docs/streamed_core.md)"
    )
    arguments.streams = 5
    assert streamed_choice.streams_of(artifact, board("zybo-z7-20"), arguments) == 5
    arguments.streams = None
    assert streamed_choice.streams_of(artifact, board("sim"), arguments) == 1
    assert capsys.readouterr().err == ""


def test_requests_differ():
    greedy = Request([1, 4], 3, DecoderSettings())
    found = streams.requests_of(greedy, 3, vocab_size=5)
    assert [request.prompt for request in found.values()] == [[1, 4], [1, 0], [1, 1]]
    drawn = DecoderSettings(temperature_mult=1, seed=2**32 - 1)
    found = streams.requests_of(Request([1, 4], 3, drawn), 3, vocab_size=5)
    assert [request.settings.seed for request in found.values()] == [2**32 - 1, 0, 1]
    assert {tuple(request.prompt) for request in found.values()} == {(1, 4)}


def test_a_wrong_token_of_the_second_stream_ends_the_build(tmp_path, monkeypatch):
    real = StreamsSimulator.generated

    def wrong(self, *steps):
        for stream, token, cycle in real(self, *steps):
            yield stream, token ^ (stream == 1), cycle

    monkeypatch.setattr(StreamsSimulator, "generated", wrong)
    with pytest.raises(Mismatch, match=r"^stream 1, token 0: gateware \d+, reference \d+$"):
        build("sim", *TEXT, "--streams", "2", "--out", str(tmp_path / "out"))
    assert not (tmp_path / "out" / "report.json").exists()


@pytest.mark.parametrize(
    ("stamps", "rate"),
    [([109, 129, 149], streams.Rate(20, 25)), ([109], streams.Rate(25, 25))],
)
def test_rate_of_a_text(stamps, rate):
    assert streams.Rate.of(10, stamps, [1, 2, 3, 4]) == rate
