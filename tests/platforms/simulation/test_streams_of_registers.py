"""Two streams side by side, by their registers: each what it would be alone."""

import pytest

from gateformer.gateware.host.streamed_registers import (
    FURTHER_STREAM_REGISTERS,
    STREAM_BYTES,
    STREAMED_REGISTERS,
)
from gateformer.platforms.host.model import HostModel
from gateformer.platforms.simulation.simulated_registers import BusError
from tests.support.imported.small_accelerator import artifact
from tests.support.imported.small_streamed import MEMORY, simulated_registers

from .registers_of_streams import (
    DRAWN,
    FIRST,
    PROMPTS,
    SECOND,
    STREAMS,
    make_idle,
    reference,
    verify,
)


@pytest.fixture(autouse=True)
def _idle():
    make_idle()


def test_places_of_no_register():
    registers = simulated_registers(2)
    offsets = {entry.offset for entry in STREAMED_REGISTERS if entry.access.readable}
    further = {entry.offset for entry in FURTHER_STREAM_REGISTERS if entry.access.readable}
    for offset in sorted(offsets):
        registers.read(offset)
        if offset in further:
            registers.read(STREAM_BYTES + offset)
        else:
            with pytest.raises(BusError, match="was answered SLVERR"):
                registers.read(STREAM_BYTES + offset)
        for stream in (2, 7):
            with pytest.raises(BusError, match="was answered SLVERR"):
                registers.read(stream * STREAM_BYTES + offset)
            with pytest.raises(BusError, match="was answered SLVERR"):
                registers.write(stream * STREAM_BYTES + offset, 0)


def test_runs_side_by_side_are_the_references():
    """Settings of their own; counters as of each alone."""
    settings = (DRAWN, HostModel.of(artifact()).settings(0.9, 0, 77))
    for stream, prompt, given in zip(STREAMS, PROMPTS, settings, strict=True):
        stream.start(prompt, 10 + stream.number, given)
    found = [stream.rest() for stream in STREAMS]
    assert len(set(found[0])) > 3 and len(set(found[1])) > 3
    saturations = [stream.read("SATURATIONS") for stream in STREAMS]
    for stream, prompt, given, tokens in zip(STREAMS, PROMPTS, settings, found, strict=True):
        assert tokens == reference(prompt, 10 + stream.number, given)
        assert stream.read("TOKENS_GENERATED") == len(tokens)
        assert stream.read("SEED") == given.seed
        assert not stream.errors()
    # the numbers of a stream that is alone, whatever slots its tokens had
    for stream, prompt, given, limited in zip(STREAMS, PROMPTS, settings, saturations, strict=True):
        stream.start(prompt, 10 + stream.number, given)
        stream.rest()
        assert stream.read("SATURATIONS") == limited


def test_errors_are_each_streams_own():
    SECOND.write("CONTROL", start=1)
    FIRST.write("PROMPT", token=artifact().model.config.vocab_size)
    assert FIRST.errors() == {"token_outside_vocabulary"}
    assert SECOND.errors() == {"prompt_empty"}
    FIRST.write("CONTROL", clear_errors=1)
    assert not FIRST.errors() and SECOND.errors() == {"prompt_empty"}
    FIRST.start(PROMPTS[0], 2)
    assert FIRST.rest() == reference(PROMPTS[0], 2)


def test_no_stream_starts_without_a_verified_image():
    address = FIRST.read("IMAGE_ADDRESS")
    FIRST.write("IMAGE_ADDRESS", value=address + MEMORY.stripe_bytes)
    for stream in STREAMS:
        stream.start(PROMPTS[0], 2)
        assert stream.errors() == {"image_not_verified"} and not stream.read("STATUS")["busy"]
        stream.write("CONTROL", abort=1, clear_errors=1)
    FIRST.write("IMAGE_ADDRESS", value=address)
    SECOND.start(PROMPTS[0], 2)
    assert SECOND.rest() == reference(PROMPTS[0], 2)


def test_verify_while_another_stream_is_busy():
    SECOND.start(PROMPTS[1], 12)
    FIRST.write("CONTROL", verify=1)
    assert FIRST.errors() == {"verify_while_busy"} and not SECOND.errors()
    assert SECOND.rest() == reference(PROMPTS[1], 12)
    assert verify()


def test_a_start_while_the_image_is_read():
    FIRST.write("CONTROL", verify=1)
    SECOND.start(PROMPTS[1], 2)
    assert SECOND.errors() == {"image_not_verified"}
    while FIRST.read("IMAGE_STATUS")["verifying"]:
        pass
    SECOND.write("CONTROL", start=1)
    assert SECOND.rest() == reference(PROMPTS[1], 2)


def test_saturations_are_of_the_run_that_was_started_last():
    """Not of an aborted one, whose last pass ends beside it."""
    SECOND.start(PROMPTS[1], 2, DRAWN)
    SECOND.rest()
    alone, found = SECOND.read("SATURATIONS"), set()
    for cycles in range(100, 1900, 300):
        FIRST.start(PROMPTS[0], 6, DRAWN)
        SECOND.start([100], 2)  # one that saturates
        simulated_registers(2).run(cycles)
        SECOND.write("CONTROL", abort=1)
        SECOND.start(PROMPTS[1], 2, DRAWN)
        SECOND.rest()
        found.add(SECOND.read("SATURATIONS"))
        FIRST.rest()
    assert found == {alone}


def test_stalls_are_of_all_since_the_first_streams_start():
    FIRST.start(PROMPTS[0], 2)
    FIRST.rest()
    before = FIRST.read("STALLS_LOW")
    assert 0 < before < FIRST.read("CYCLES_LOW")
    SECOND.start(PROMPTS[0], 2)
    SECOND.rest()
    assert before < FIRST.read("STALLS_LOW") < before + SECOND.read("CYCLES_LOW")
