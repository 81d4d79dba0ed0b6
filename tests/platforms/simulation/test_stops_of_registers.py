"""Aborts, faults and resets of two streams, by their registers."""

import pytest

from gateformer.gateware.host.host_interface import MIN_OUTPUT_DEPTH
from gateformer.gateware.memory.bus import Response
from gateformer.platforms.host.image_file import HEADER_BYTES
from tests.support.imported.small_accelerator import artifact
from tests.support.imported.small_streamed import MEMORY, program, simulated_registers

from .registers_of_streams import (
    DRAWN,
    FIRST,
    POLL_CYCLES,
    PROMPTS,
    SECOND,
    STREAMS,
    image_address,
    make_idle,
    reference,
    verify,
)


@pytest.fixture(autouse=True)
def _idle():
    make_idle()


def refuse(response=Response.DECERR):
    place = HEADER_BYTES + program(2).first_fixed * MEMORY.stripe_bytes
    simulated_registers(2).memory.refuse(place, place + MEMORY.stripe_bytes - 1, response)


def fault():
    return FIRST.read("IMAGE_STATUS")["fault"]


def idle_but_for_a_pass():
    """All streams idle in the middle of a pass: the second one's token is in it, and was aborted
    while the first one had its last token and no room for it, which is taken now."""
    for stream in STREAMS:
        stream.write("CONTROL", abort=1)
    FIRST.start([7], MIN_OUTPUT_DEPTH + 1)
    SECOND.start([5], artifact().model.config.ctx_len)
    while FIRST.read("STATUS")["output_level"] < MIN_OUTPUT_DEPTH:
        simulated_registers(2).run(POLL_CYCLES)
        SECOND.take()
    begun = SECOND.read("TOKENS_GENERATED")
    while SECOND.read("TOKENS_GENERATED") == begun:
        simulated_registers(2).run(POLL_CYCLES)
    SECOND.write("CONTROL", abort=1)
    assert FIRST.read("STATUS")["busy"]
    FIRST.take()
    assert not any(stream.read("STATUS")["busy"] for stream in STREAMS)


def test_a_pass_ends_with_the_last_stream():
    """It neither disturbs a verification nor writes where the memory is somebody else's now."""
    idle_but_for_a_pass()
    assert verify()
    idle_but_for_a_pass()
    memory = simulated_registers(2).memory
    simulated_registers(2).run(POLL_CYCLES)  # what was under way on the bus
    before = memory.bus.content.copy(), memory.bus.beats
    FIRST.write("IMAGE_ADDRESS", value=image_address() - 8 * MEMORY.stripe_bytes)
    simulated_registers(2).run(2 * program(2).cycles([20, 20]))
    assert (memory.bus.content == before[0]).all() and memory.bus.beats == before[1]
    assert verify()
    SECOND.start(PROMPTS[1], 2)
    assert SECOND.rest() == reference(PROMPTS[1], 2)


def test_no_token_of_a_bad_word():
    """Whichever of the image's words it is, the last one of the head, too."""
    memory = simulated_registers(2).memory
    for stripe in range(program(2).first_fixed, program(2).first_cache):
        place = HEADER_BYTES + stripe * MEMORY.stripe_bytes
        memory.refuse(place, place + MEMORY.stripe_bytes - 1, Response.SLVERR)
        FIRST.start(PROMPTS[1][:1], 1)
        simulated_registers(2).run(2 * program(2).cycles([0, None]))
        assert fault() == Response.SLVERR.value and FIRST.take() is None, stripe
        memory.refuse(0, 0, Response.OKAY)
        FIRST.write("CONTROL", abort=1)


@pytest.mark.parametrize("stream", [0, 1])
def test_an_abort_at_any_time_leaves_the_other_stream_alone(stream):
    aborted, other = STREAMS[stream], STREAMS[1 - stream]
    for cycles in (0, 1, 50, 700, 3000):
        other.start(PROMPTS[0], 8, DRAWN)
        aborted.start(PROMPTS[1], 16)
        simulated_registers(2).run(cycles)
        aborted.write("CONTROL", abort=1)
        assert not aborted.read("STATUS")["busy"], cycles
        aborted.start(PROMPTS[1], 4, DRAWN)
        assert other.rest() == reference(PROMPTS[0], 8, DRAWN), cycles
        assert aborted.rest() == reference(PROMPTS[1], 4, DRAWN), cycles


def test_a_fault_is_forgotten_when_the_last_busy_stream_is_aborted():
    for order in (STREAMS, STREAMS[::-1]):
        for stream in STREAMS:
            stream.start(PROMPTS[stream.number], 16)
        refuse()
        while not fault():
            simulated_registers(2).run(POLL_CYCLES)
        simulated_registers(2).memory.refuse(0, 0, Response.OKAY)
        assert all(stream.read("STATUS")["busy"] for stream in STREAMS)
        order[0].write("CONTROL", abort=1)
        assert fault() == Response.DECERR.value
        assert order[1].read("STATUS")["busy"]
        order[1].write("CONTROL", abort=1)
        simulated_registers(2).run(500)
        assert fault() == Response.OKAY.value
        for stream in STREAMS:
            stream.start(PROMPTS[stream.number], 3)
        for stream in STREAMS:
            assert stream.rest() == reference(PROMPTS[stream.number], 3)


def test_a_stream_that_starts_during_a_fault_waits_with_the_others():
    """Until all of them are aborted."""
    FIRST.start(PROMPTS[0], 16)
    refuse()
    while not fault():
        simulated_registers(2).run(POLL_CYCLES)
    simulated_registers(2).memory.refuse(0, 0, Response.OKAY)
    SECOND.start(PROMPTS[1], 2)
    simulated_registers(2).run(20_000)
    assert SECOND.read("STATUS")["busy"] and SECOND.take() is None
    for stream in STREAMS:
        stream.write("CONTROL", abort=1)
    SECOND.start(PROMPTS[1], 2)
    assert SECOND.rest() == reference(PROMPTS[1], 2)


def test_a_reset_while_both_generate():
    for cycles in (1, 60, 900):
        for stream in STREAMS:
            stream.start(PROMPTS[stream.number], 16)
        simulated_registers(2).run(cycles)
        simulated_registers(2).reset()
        for stream in STREAMS:
            found = stream.read("STATUS")
            assert not any(found.values()), cycles
        SECOND.start(PROMPTS[1], 2)
        assert SECOND.errors() == {"image_not_verified"}
        SECOND.write("CONTROL", abort=1, clear_errors=1)
        assert verify()
        for stream in STREAMS:
            stream.start(PROMPTS[stream.number], 3)
        for stream in STREAMS:
            assert stream.rest() == reference(PROMPTS[stream.number], 3), cycles
