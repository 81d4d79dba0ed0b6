"""The driver with two streams: what is refused, stopped, or fails."""

import time

import pytest

from gateformer.gateware.host.registers import register
from gateformer.gateware.host.streamed_registers import STREAM_BYTES, STREAMED_REGISTERS
from gateformer.gateware.memory.bus import Response
from gateformer.platforms.host.driver import Accelerator
from tests.support.imported.small_accelerator import artifact
from tests.support.imported.small_streamed import MEMORY, program, simulated_registers
from tests.support.user_error import message

from .two_streams import (
    PROMPTS,
    TEXTS,
    Ports,
    generates,
    opened,
    status,
    tokens_of,
    weights,
    write,
)

STATUS, CONTROL = (register(name, STREAMED_REGISTERS).offset for name in ("STATUS", "CONTROL"))


@pytest.fixture
def accelerator():
    return opened()


@pytest.fixture
def memory():
    return simulated_registers(2).memory


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


def test_loading_while_a_stream_runs(accelerator, memory):
    run = accelerator.generate(PROMPTS[1], 20, stream=1)
    first = next(run)
    assert message(accelerator.load_image, weights(), memory, ports=Ports()) == (
        "the simulation: the image can't be loaded while the core is running; read the run to its "
        "end, or close it, first"
    )
    assert [first, *run] == tokens_of(1, 20)
    accelerator.load_image(weights(), memory, ports=Ports())
    assert generates(accelerator)


def test_a_reset_forgets_the_image_for_all_streams(accelerator, memory):
    run = accelerator.generate(PROMPTS[0], 20, stream=1)
    next(run)
    simulated_registers(2).reset()
    assert "the core stopped before its last token" in message(list, run)
    for stream in range(2):
        assert "its model's image is not in the memory" in message(
            lambda stream=stream: list(accelerator.generate(PROMPTS[0], 3, stream=stream))
        )
    accelerator.load_image(weights(), memory, ports=Ports())
    assert generates(accelerator)


class Deaf:
    """Registers of a second stream that is started and never does anything."""

    name = "the simulation"

    def read(self, offset):
        word = simulated_registers(2).read(offset)
        return 1 if offset == STREAM_BYTES + STATUS and self.started else word

    def write(self, offset, value):
        if offset == STREAM_BYTES + CONTROL:
            self.started = bool(value & 1)
            value &= ~1
        simulated_registers(2).write(offset, value)

    started = False


def test_a_stream_that_does_not_answer(accelerator):
    deaf = Accelerator(Deaf(), artifact(), timeout=1)
    pieces, found = deaf.generate_together(PROMPTS, 4), []
    refusal = message(lambda: found.extend(iter(lambda: next(pieces), None)))
    assert refusal == (
        "the simulation, stream 1: the core does not answer: waited 1 s for a token; load the "
        "bitstream again, or give a longer timeout"
    )
    assert not status(0)["busy"]


def test_time_of_the_reader_is_not_the_cores(accelerator):
    hasty, found = opened(timeout=3), [[], []]
    for index, token in hasty.generate_together(PROMPTS, 4):
        if not found[1]:
            time.sleep(3.5 if not found[0] else 0)
        found[index].append(token)
    assert found == [tokens_of(0, 4), tokens_of(1, 4)]


@pytest.mark.parametrize("streams", [0, 9])
def test_a_number_of_streams_that_can_not_be(streams):
    class Odd:
        name = "odd"

        def read(self, offset):
            known = register("STREAMS", STREAMED_REGISTERS).offset
            return streams if offset == known else simulated_registers(2).read(offset)

        def write(self, offset, value):
            """Nothing is written before it is refused."""

    assert message(Accelerator, Odd()) == (
        f"odd: STREAMS reads {streams}, expected 1 to 8; load the bitstream again"
    )
