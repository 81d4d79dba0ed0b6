"""The memory that an image is copied to: which does, its ports, and errors while it is read."""

import pytest

from gateformer.gateware.host.registers import register
from gateformer.gateware.host.streamed_registers import STREAMED_REGISTERS
from gateformer.gateware.memory.bus import Response
from gateformer.platforms.families.zynq_address import AFI_ADDRESS, AFI_STEP, HP_PORTS
from gateformer.platforms.host import driver
from gateformer.platforms.host.driver import Accelerator
from tests.support.fake_registers import FakeRegisters
from tests.support.imported.small_streamed import MEMORY, image, program, simulated_registers
from tests.support.user_error import message

from .image_bench import DAMAGED, Ports, generates, refuses_to_run


class Elsewhere:
    """Memory that can't have the image, and is not written."""

    name = "memory"

    def __init__(self, address, size):
        self.address, self.size = address, size


BEYOND = (
    ", and the image would end beyond 4 GiB, which the accelerator can't address; reserve memory "
    "below"
)


@pytest.mark.parametrize(
    "change, refusal",
    [
        (
            {"less": 1},
            "memory has {less:,} bytes, and the image needs {size:,} with keys and values; reserve "
            "more",
        ),
        (
            {"address": 0x1000_0020},
            "memory begins at 0x10000020, which is not a multiple of 64; reserve memory that is",
        ),
        ({"address": 0xFFFF_F000}, "memory begins at 0xFFFFF000" + BEYOND),
        ({"address": 1 << 32}, "memory begins at 0x100000000" + BEYOND),
    ],
)
def test_memory_that_does_not_do(accelerator, weights, change, refusal):
    size = program().facts.memory_bytes
    less = size - change.get("less", 0)
    place = Elsewhere(change.get("address", 0x1000_0000), less)
    assert message(accelerator.load_image, weights, place) == refusal.format(size=size, less=less)


def test_an_accelerator_with_its_model_inside(weights):
    accelerator = Accelerator(FakeRegisters(STATUS=0))
    assert message(accelerator.load_image, weights) == (
        "the fake: the accelerator has its model in its own memories; leave the weights out"
    )


@pytest.mark.parametrize("port", range(MEMORY.ports))
def test_a_port_at_32_bits(monkeypatch, accelerator, memory, weights, port):
    memory.set_width(port, narrow=True)
    stuck = Ports(memory, stuck=(port,))
    number = HP_PORTS[MEMORY.ports][port]
    first = AFI_ADDRESS + number * AFI_STEP
    named = "; ".join(
        f"S_AXI_HP{number} is at 32 bits (AFI_{kind}CHAN_CTRL at 0x{first + offset:08X} reads 0x1, "
        "expected bit 0 to be 0)"
        for kind, offset in (("RD", 0), ("WR", 0x14))
    )
    assert message(accelerator.load_image, weights, memory, ports=stuck) == (
        f"{DAMAGED}; {named}; load it again"
    )
    assert refuses_to_run(accelerator)
    # of a machine without those registers
    assert message(accelerator.load_image, weights, memory) == f"{DAMAGED}; load it again"
    # without access to them
    monkeypatch.setattr(driver, "find_ports", lambda: None)
    assert message(accelerator.load_image, weights, memory) == (
        f"{DAMAGED}; or a port of the memory is at 32 bits, which needs root to see and to set: "
        "use sudo; load it again"
    )
    accelerator.load_image(weights, memory, ports=Ports(memory))
    assert not memory.narrow and generates(accelerator)


@pytest.mark.parametrize("response", [Response.SLVERR, Response.DECERR])
@pytest.mark.parametrize("place", ["first", "middle", "last"])
def test_an_error_while_the_image_is_read(accelerator, memory, weights, response, place):
    at = {"first": 0, "middle": len(image()) // 2, "last": len(image()) - 1}[place]
    memory.refuse(at, at, response)
    expected = f"when the image was read, the memory answered {response.name}: "
    assert expected in message(accelerator.load_image, weights, memory, ports=Ports(memory))
    assert refuses_to_run(accelerator)
    memory.refuse(0, 0, Response.OKAY)
    accelerator.load_image(weights, memory, ports=Ports(memory))
    assert generates(accelerator)


def test_a_core_that_does_not_end_reading(weights, accelerator, memory):
    class Slow:
        """Registers of a core that reads its image for ever."""

        name = "the simulation"

        def read(self, offset):
            word = simulated_registers().read(offset)
            return word | (offset == register("IMAGE_STATUS", STREAMED_REGISTERS).offset)

        def write(self, offset, value):
            simulated_registers().write(offset, value)

    slow = Accelerator(Slow(), timeout=0.01)
    assert "the core still reads the image after 0.0103 s; load the bitstream again" in message(
        slow.load_image, weights, memory, ports=Ports(memory)
    )


def test_registers_of_no_image():
    class Odd:
        name = "odd"

        def __init__(self, **words):
            self.words = {register(n, STREAMED_REGISTERS).offset: w for n, w in words.items()}

        def read(self, offset):
            found = self.words.get(offset)
            return simulated_registers().read(offset) if found is None else found

        def write(self, offset, value):
            pass

    for words in ({"MEMORY_SHAPE": 0x00_08_02}, {"IMAGE_BYTES": 0}, {"IMAGE_BYTES": 2**32 - 1}):
        assert "which are of no image; load the bitstream again" in message(
            Accelerator, Odd(**words)
        )
    assert "SPEC_VERSION reads 1, expected 2 of a model in external memory" in message(
        Accelerator, Odd(SPEC_VERSION=1)
    )
