"""What tests of an image in external memory do with the accelerator that has it, or should."""

from gateformer.gateware.host.registers import register
from gateformer.gateware.host.streamed_registers import STREAMED_REGISTERS
from gateformer.model.contract.decoder.sampling import DecoderSettings
from gateformer.platforms.families.zynq_address import (
    AFI_ADDRESS,
    AFI_NARROW,
    AFI_READ_CONTROL,
    AFI_STEP,
    HP_PORTS,
)
from gateformer.platforms.host.memory_ports import MemoryPorts
from tests.support.imported.small_accelerator import BEGIN, PREFIX, reference_tokens
from tests.support.imported.small_streamed import MEMORY, simulated_registers
from tests.support.user_error import message

PROMPT = [*PREFIX, BEGIN, 40]
DAMAGED = (
    "the simulation: the image in the simulated memory is damaged: it does not have the checksum "
    "that is built into the accelerator"
)


class Ports(MemoryPorts):
    """AFI registers of the simulated memory; a port that is ``stuck`` stays at 32 bits."""

    def __init__(self, memory, stuck=()):
        self._memory, self._stuck = memory, stuck

    def _port(self, address):
        port, offset = divmod(address - AFI_ADDRESS, AFI_STEP)
        assert offset in (0x00, 0x14)
        return HP_PORTS[MEMORY.ports].index(port), offset

    def read(self, address):
        return AFI_NARROW if self._port(address)[0] in self._memory.narrow else 0

    def write(self, address, value):
        port, offset = self._port(address)
        if offset == AFI_READ_CONTROL and port not in self._stuck:
            self._memory.set_width(port, narrow=bool(value & AFI_NARROW))


def generates(accelerator) -> bool:
    """Whether it generates the reference's tokens."""
    return list(accelerator.generate(PROMPT, 3)) == reference_tokens(
        [BEGIN, 40], 3, DecoderSettings()
    )


def write_register(name, **fields):
    entry = register(name, STREAMED_REGISTERS)
    simulated_registers().write(entry.offset, entry.pack(**fields))


def read_register(name):
    entry = register(name, STREAMED_REGISTERS)
    return entry.unpack(simulated_registers().read(entry.offset))


def refuses_to_run(accelerator) -> bool:
    """Whether driver and core both refuse a run without an image."""
    assert message(lambda: list(accelerator.generate(PROMPT, 2))) == (
        "the simulation: its model's image is not in the memory; load it: gateformer accelerator "
        "--weights build/BOARD/weights.bin"
    )
    write_register("PROMPT", token=1)
    write_register("GENERATE_COUNT", value=1)
    write_register("CONTROL", start=1)
    refused = read_register("ERROR")["image_not_verified"] and not read_register("STATUS")["busy"]
    write_register("CONTROL", abort=1, clear_errors=1)
    return bool(refused)


def start_a_run(count: int):
    write_register("PROMPT", token=3)
    write_register("GENERATE_COUNT", value=count)
    write_register("CONTROL", start=1)


def settle(cycles: int):
    simulated_registers().run(cycles)
