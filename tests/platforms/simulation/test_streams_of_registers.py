"""A whole accelerator of two streams by its registers, in compiled simulation over AXI3."""

import pytest

from gateformer.gateware.host.host_interface import MIN_OUTPUT_DEPTH
from gateformer.gateware.host.registers import register
from gateformer.gateware.host.streamed_registers import (
    FURTHER_STREAM_REGISTERS,
    STREAM_BYTES,
    STREAMED_REGISTERS,
)
from gateformer.gateware.memory.bus import Response
from gateformer.model.contract.decoder.reference import DecoderReference
from gateformer.model.contract.decoder.sampling import DecoderSettings
from gateformer.platforms.host.image_file import HEADER_BYTES
from gateformer.platforms.host.model import HostModel
from gateformer.platforms.simulation.simulated_registers import BusError
from tests.support.imported.small_accelerator import artifact
from tests.support.imported.small_streamed import MEMORY, image, program, simulated_registers

PROMPTS = ([7, 2, 1, 40, 9], [5, 301])
DRAWN = HostModel.of(artifact()).settings(1.3, 0, 5)
"""Without top-k and top-p, for each of which the sampler takes as long as for ten tokens."""
POLL_CYCLES = 100


class Stream:
    """Registers of one stream by name."""

    def __init__(self, number: int):
        self.number = number
        self.declared = FURTHER_STREAM_REGISTERS if number else STREAMED_REGISTERS

    def read(self, name):
        entry = register(name, self.declared)
        word = simulated_registers(2).read(self.number * STREAM_BYTES + entry.offset)
        found = entry.unpack(word)
        return found["value"] if list(found) == ["value"] else found

    def write(self, name, **fields):
        entry = register(name, self.declared)
        offset = self.number * STREAM_BYTES + entry.offset
        simulated_registers(2).write(offset, entry.pack(**fields))

    def start(self, prompt, count, settings=None):
        settings = settings or DecoderSettings()
        self.write("TEMPERATURE", mult=settings.temperature_mult, shift=settings.temperature_shift)
        self.write("TOP_K", value=settings.top_k)
        self.write("TOP_P", value=settings.top_p)
        self.write("SEED", value=settings.seed)
        self.write("GENERATE_COUNT", value=count)
        for token in prompt:
            self.write("PROMPT", token=token)
        self.write("CONTROL", start=1)

    def take(self):
        """The next token, and whether it is the last; None if there is none yet."""
        output = self.read("OUTPUT")
        return (output["token"], output["last"]) if output["valid"] else None

    def rest(self, most=5_000):
        tokens = []
        for _ in range(most):
            simulated_registers(2).run(POLL_CYCLES)
            while taken := self.take():
                tokens.append(taken[0])
                if taken[1]:
                    return tokens
        raise AssertionError("no last token")

    def errors(self):
        return {name for name, value in self.read("ERROR").items() if value}


FIRST, SECOND = STREAMS = Stream(0), Stream(1)


def image_address():
    return simulated_registers(2).memory.address + HEADER_BYTES


def verify():
    FIRST.write("IMAGE_ADDRESS", value=image_address())
    FIRST.write("CONTROL", verify=1)
    while FIRST.read("IMAGE_STATUS")["verifying"]:
        pass
    return FIRST.read("IMAGE_STATUS")["verified"]


def reference(prompt, count, settings=None):
    model = DecoderReference(artifact().model)
    return list(model.generate(prompt, count, settings or DecoderSettings()))


@pytest.fixture(autouse=True)
def _idle():
    """All streams idle, an image that was verified, a memory that is well."""
    registers = simulated_registers(2)
    registers.memory.refuse(0, 0, Response.OKAY)
    for stream in STREAMS:
        stream.write("CONTROL", abort=1, clear_errors=1)
    registers.memory.write(HEADER_BYTES, image(2).tobytes())
    if not FIRST.read("IMAGE_STATUS")["verified"]:
        assert verify()


def refuse(response=Response.DECERR):
    place = HEADER_BYTES + program(2).first_fixed * MEMORY.stripe_bytes
    simulated_registers(2).memory.refuse(place, place + MEMORY.stripe_bytes - 1, response)


def fault():
    return FIRST.read("IMAGE_STATUS")["fault"]


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


def test_stalls_are_of_all_since_the_first_streams_start():
    FIRST.start(PROMPTS[0], 2)
    FIRST.rest()
    before = FIRST.read("STALLS_LOW")
    assert 0 < before < FIRST.read("CYCLES_LOW")
    SECOND.start(PROMPTS[0], 2)
    SECOND.rest()
    assert before < FIRST.read("STALLS_LOW") < before + SECOND.read("CYCLES_LOW")
