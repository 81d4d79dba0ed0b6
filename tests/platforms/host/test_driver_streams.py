"""The driver with an accelerator of two streams, simulated with its model in external memory."""

import itertools

import pytest

from gateformer.gateware.host.registers import register
from gateformer.gateware.host.streamed_registers import STREAM_BYTES, STREAMED_REGISTERS
from gateformer.gateware.memory.bus import Response
from gateformer.model.contract.decoder.sampling import DecoderSettings
from gateformer.platforms.host import generate
from gateformer.platforms.host.driver import Accelerator
from gateformer.platforms.host.memory_ports import MemoryPorts
from tests.support.imported.small_accelerator import (
    BEGIN,
    PREFIX,
    artifact,
    reference_text,
    reference_tokens,
)
from tests.support.imported.small_streamed import (
    MEMORY,
    program,
    simulated_registers,
    write_weights,
)
from tests.support.user_error import message

PROMPTS = [[*PREFIX, BEGIN, 40], [*PREFIX, BEGIN, 99, 7, 250]]
TEXTS = ["the cat", "a rat and a hat", "123", "dogs", "on the mat"]
SAMPLING = (1.3, 5, 4_294_967_294, 0.9)


class Ports(MemoryPorts):
    """AFI registers of the simulated memory, which has them at 64 bits."""

    def __init__(self):
        """Without a device."""

    def read(self, address):
        return 0

    def write(self, address, value):
        pass


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("build") / "weights.bin"
    write_weights(path, 2)
    return path


@pytest.fixture
def memory():
    found = simulated_registers(2).memory
    found.refuse(0, 0, Response.OKAY)
    return found


@pytest.fixture
def accelerator(memory, weights):
    found = Accelerator(simulated_registers(2), artifact(), timeout=60)
    if not found.info().image.verified:
        found.load_image(weights, memory, ports=Ports())
    return found


def tokens_of(number: int, count: int, settings=None) -> list[int]:
    """What follows a prompt of PROMPTS, by the reference."""
    prompt = PROMPTS[number][len(PREFIX) :]
    return reference_tokens(prompt, count, settings or DecoderSettings())


def write(stream, name, **fields):
    entry = register(name, STREAMED_REGISTERS)
    simulated_registers(2).write(stream * STREAM_BYTES + entry.offset, entry.pack(**fields))


def status(stream):
    entry = register("STATUS", STREAMED_REGISTERS)
    return entry.unpack(simulated_registers(2).read(stream * STREAM_BYTES + entry.offset))


def generates(accelerator) -> bool:
    """Whether all streams generate the reference's tokens."""
    return all(
        list(accelerator.generate(PROMPTS[0], 3, stream=stream)) == tokens_of(0, 3)
        for stream in range(2)
    )


def test_info(accelerator):
    info = accelerator.info()
    assert info.streams == 2 and ", streams 2\n" in str(info)


@pytest.mark.parametrize("stream", [0, 1])
def test_each_stream_alone(accelerator, stream):
    for text, given in zip(TEXTS, [(0, 0, 1, None), SAMPLING], strict=False):
        temperature, top_k, seed, top_p = given
        pieces = accelerator.generate(text, 5, temperature, top_k, seed, top_p=top_p, stream=stream)
        assert "".join(pieces) == reference_text(text, 5, *given)


def test_streams_read_in_turns(accelerator):
    runs = [accelerator.generate(PROMPTS[s], 12 + s, stream=s) for s in range(2)]
    found = list(itertools.zip_longest(*runs))
    assert [first for first, _ in found[:12]] == tokens_of(0, 12)
    assert [second for _, second in found] == tokens_of(1, 13)


@pytest.mark.parametrize("stream", [0, 1])
def test_what_nobody_reads_waits_and_holds_up_no_other(accelerator, stream):
    """Its queue has 16 tokens; its timeout is not spent meanwhile."""
    patient = Accelerator(simulated_registers(2), artifact(), timeout=2)
    slow = patient.generate(PROMPTS[0], 20, stream=stream)
    first = next(slow)
    for _ in range(2):
        assert list(patient.generate(PROMPTS[1], 9, stream=1 - stream)) == tokens_of(1, 9)
    simulated_registers(2).run(80_000)
    found = status(stream)
    assert found["busy"] and found["output_level"] == 16
    assert [first, *slow] == tokens_of(0, 20)


def test_a_run_that_is_begun_and_closed_leaves_the_other_alone(accelerator):
    long = accelerator.generate(PROMPTS[0], 20)
    found = [next(long)]
    for count in (1, 2, 5):
        other = accelerator.generate(PROMPTS[1], 9, stream=1)
        assert [next(other) for _ in range(count)] == tokens_of(1, count)
        other.close()
        found.append(next(long))
        assert not status(1)["busy"]
    assert found + list(long) == tokens_of(0, 20)


def test_a_stream_that_is_not_there(accelerator):
    for stream in (2, -1, 1.0, True, "0"):
        assert message(accelerator.generate, PROMPTS[0], 3, stream=stream) == (
            f"the simulation: there is no stream {stream!r}; there is 0 to 1"
        )


def test_another_run_of_a_stream_ends_the_one_before_it(accelerator):
    old = accelerator.generate(PROMPTS[0], 9, stream=1)
    next(old)
    assert list(accelerator.generate(PROMPTS[1], 4, stream=1)) == tokens_of(1, 4)
    assert message(next, old) == (
        "the simulation, stream 1: another run was begun before this one was read; read one to its "
        "end, or close it, first, or name another stream"
    )


def test_texts_together(accelerator):
    """More of them than streams, of different lengths; a seed for each."""
    found, ended = [""] * len(TEXTS), []
    temperature, top_k, seed, top_p = SAMPLING
    pieces = accelerator.generate_together(
        TEXTS, 4, temperature, top_k, seed, top_p=top_p, ended=ended.append
    )
    for index, piece in pieces:
        assert index not in ended
        found[index] += piece
    assert sorted(ended) == list(range(len(TEXTS)))
    for index, text in enumerate(TEXTS):
        own = (temperature, top_k, (seed + index) % 2**32, top_p)
        assert found[index] == reference_text(text, 4, *own), index


def test_tokens_together_go_on_in_a_new_context(accelerator):
    found = [[], []]
    for index, token in accelerator.generate_together(PROMPTS, 30, refeed=True):
        found[index].append(token)
    # ids have no prefix: all of the context is theirs
    for index, prompt in enumerate(PROMPTS):
        alone = accelerator.generate(prompt, 30, seed=1 + index, refeed=True)
        assert found[index] == list(alone) and len(found[index]) == 30


def test_together_they_share_passes(accelerator):
    list(accelerator.generate(PROMPTS[0], 15))
    alone = accelerator.last_run.cycles
    assert len(list(accelerator.generate_together(PROMPTS[:1] * 2, 15))) == 30
    assert accelerator.last_run.cycles < 1.5 * alone


def test_requests_are_checked_before_anything_runs(accelerator):
    assert message(accelerator.generate_together, "the cat") == (
        "prompts must be a list of them, not one text; give ['the cat']"
    )
    too_long = [*PROMPTS, [1] * 25]
    assert "25" in message(accelerator.generate_together, too_long)
    assert list(accelerator.generate_together([])) == []


def test_together_needs_all_streams(accelerator):
    mine = accelerator.generate(PROMPTS[0], 5, stream=1)
    first = next(mine)
    assert message(lambda: list(accelerator.generate_together(PROMPTS, 3))) == (
        "the simulation, stream 1: it is in use; read its run to the end, or close it, first"
    )
    assert [first, *mine] == tokens_of(0, 5)
    assert len(list(accelerator.generate_together(PROMPTS, 3))) == 6


def test_together_closed_early_stops_all(accelerator):
    pieces = accelerator.generate_together(TEXTS, 15)
    next(pieces)
    pieces.close()
    for stream in range(2):
        found = status(stream)
        assert not any(found[name] for name in ("busy", "output_level", "prompt_level"))
    assert generates(accelerator)


FAULT = "while the core was generating, the memory answered DECERR: "


def refuse_all(memory):
    first = program(2).first_fixed * MEMORY.stripe_bytes
    memory.refuse(first, first + MEMORY.stripe_bytes - 1, Response.DECERR)


def test_an_error_of_the_memory_stops_all_streams(accelerator, memory):
    runs = [accelerator.generate(PROMPTS[s], 20, stream=s) for s in range(2)]
    for run in runs:
        next(run)
    refuse_all(memory)
    assert FAULT in message(list, runs[1])
    assert not any(status(stream)["busy"] for stream in range(2))
    memory.refuse(0, 0, Response.OKAY)
    # the other one's run was the core's, too; what is begun now is not
    assert FAULT in message(list, runs[0])
    assert generates(accelerator)


def test_an_error_of_the_memory_while_all_generate(accelerator, memory):
    pieces = accelerator.generate_together(TEXTS, 15)
    next(pieces)
    refuse_all(memory)
    assert FAULT in message(list, pieces)
    memory.refuse(0, 0, Response.OKAY)
    assert generates(accelerator)


def test_a_stream_that_was_stopped_by_an_error_runs_again_at_once(accelerator, memory):
    forgotten = accelerator.generate(PROMPTS[0], 20)
    next(forgotten)
    refuse_all(memory)
    assert FAULT in message(lambda: list(accelerator.generate(PROMPTS[1], 9, stream=1)))
    memory.refuse(0, 0, Response.OKAY)
    assert list(accelerator.generate(PROMPTS[1], 9, stream=1)) == tokens_of(1, 9)
    assert FAULT in message(next, forgotten)
    assert generates(accelerator)


def test_opening_stops_all_streams(accelerator):
    for stream in range(2):
        write(stream, "PROMPT", token=3)
        write(stream, "GENERATE_COUNT", value=20)
        write(stream, "CONTROL", start=1)
    simulated_registers(2).run(2000)
    assert status(0)["busy"] and status(1)["busy"]
    assert generates(Accelerator(simulated_registers(2), timeout=60))


def test_loading_while_a_stream_runs(accelerator, memory, weights):
    run = accelerator.generate(PROMPTS[1], 20, stream=1)
    first = next(run)
    assert message(accelerator.load_image, weights, memory, ports=Ports()) == (
        "the simulation: the image can't be loaded while the core is running; read the run to its "
        "end, or close it, first"
    )
    assert [first, *run] == tokens_of(1, 20)
    accelerator.load_image(weights, memory, ports=Ports())
    assert generates(accelerator)


def test_a_reset_forgets_the_image_for_all_streams(accelerator, memory, weights):
    run = accelerator.generate(PROMPTS[0], 20, stream=1)
    next(run)
    simulated_registers(2).reset()
    assert "the core stopped before its last token" in message(list, run)
    for stream in range(2):
        assert "its model's image is not in the memory" in message(
            lambda stream=stream: list(accelerator.generate(PROMPTS[0], 3, stream=stream))
        )
    accelerator.load_image(weights, memory, ports=Ports())
    assert generates(accelerator)


def test_bench(accelerator):
    alone, together = accelerator.bench(n=12), accelerator.bench_together(n=12)
    assert together.streams == 2 and together.generated_tokens == 11
    assert together.generated_cycles < 1.5 * alone.generated_cycles
    assert 0 < together.stalls < together.cycles
    line = str(together)
    assert line.startswith("2 streams together: 2 prompts of 1 tokens, ")
    assert line.count("tokens/s") == 2
    assert "of each; it waited for the memory in " in line
    assert "at least 2 generated tokens" in message(accelerator.bench_together, n=1)


def command(monkeypatch, *arguments):
    class Simulated(Accelerator):
        def __init__(self, device, model, **options):
            super().__init__(simulated_registers(2), artifact(), timeout=60)

    monkeypatch.setattr(generate, "Accelerator", Simulated)
    monkeypatch.setattr("sys.argv", ["gateformer accelerator", *arguments])
    generate.main()


def test_several_prompts_on_the_command_line(accelerator, monkeypatch, capsys, tmp_path):
    path = tmp_path / "prompts.txt"
    path.write_text("123\n\ndogs\n", encoding="utf-8")
    given = ("--prompt", "the cat", "--prompts", str(path), "--tokens", "6", "--temperature", "0")
    command(monkeypatch, *given)
    lines = capsys.readouterr().out
    expected = ("the cat", "123", "dogs")
    for number, text in enumerate(expected, start=1):
        shown = f"# {number} of 3: {text}\n{text}{reference_text(text, 6)}\n"
        assert shown in lines
    assert lines.count("# ") >= 3


def test_one_prompt_of_a_file_is_a_text_alone(accelerator, monkeypatch, capsys, tmp_path):
    path = tmp_path / "prompts.txt"
    path.write_text("dogs\n", encoding="utf-8")
    command(monkeypatch, "--prompts", str(path), "--tokens", "6", "--temperature", "0")
    assert capsys.readouterr().out == f"dogs{reference_text('dogs', 6)}\n"


def test_files_without_prompts(monkeypatch, tmp_path):
    path = tmp_path / "prompts.txt"
    assert message(command, monkeypatch, "--prompts", str(path)) == (
        f"--prompts {path} can't be read: No such file or directory; give a file with a prompt per "
        "line"
    )
    path.write_bytes(b"\n \n")
    assert message(command, monkeypatch, "--prompts", str(path)) == (
        f"--prompts {path} has no prompt; write one per line"
    )
    path.write_bytes(b"\xff\n")
    assert message(command, monkeypatch, "--prompts", str(path)) == (
        f"--prompts {path} is no UTF-8; save it as that"
    )


def test_bench_on_the_command_line(accelerator, monkeypatch, capsys):
    command(monkeypatch, "--bench")
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4 and lines[3].startswith("2 streams together: ")
