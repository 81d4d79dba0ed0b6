"""A whole accelerator of two streams by its registers, in compiled simulation over AXI3."""

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
from tests.support.imported.small_accelerator import artifact
from tests.support.imported.small_streamed import image, simulated_registers

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


def make_idle():
    """All streams idle, an image that was verified, a memory that is well."""
    registers = simulated_registers(2)
    registers.memory.refuse(0, 0, Response.OKAY)
    for stream in STREAMS:
        stream.write("CONTROL", abort=1, clear_errors=1)
    registers.memory.write(HEADER_BYTES, image(2).tobytes())
    if not FIRST.read("IMAGE_STATUS")["verified"]:
        assert verify()
