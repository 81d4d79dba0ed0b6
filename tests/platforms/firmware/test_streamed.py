"""The firmware of a model in external memory, emulated: it generates, or says what is wrong."""

import pytest

from gateformer.gateware.host.registers import register
from gateformer.gateware.host.streamed_registers import STREAMED_REGISTERS
from gateformer.gateware.memory.bus import Response
from gateformer.platforms.families.zynq_address import (
    AFI_ADDRESS,
    AFI_STEP,
    HP_PORTS,
)
from gateformer.platforms.firmware.zynq_peripherals import StuckBus
from gateformer.platforms.host.image_file import HEADER_BYTES
from gateformer.platforms.host.register_access import RegisterAccess
from tests.support.imported.small_streamed import (
    MEMORY,
    image,
    program,
    simulated_registers,
)

from .streamed_bench import COPY, RESET, StreamedDevice, refusal, text_of, weights


@pytest.mark.slow
def test_it_verifies_the_image_and_generates():
    device = StreamedDevice()
    assert device.welcome.startswith(b"\r\n# model small, digest ")
    assert device.generates()
    address = register("IMAGE_ADDRESS", STREAMED_REGISTERS).offset
    assert simulated_registers().read(address) == 0x1000_1000


def test_a_text_is_the_references():
    device = StreamedDevice()
    for setting in (b"/temperature 0", b"/tokens 3"):
        device.ask(setting)
    answer = device.ask(b"the cat")
    assert b"\x02" + text_of("the cat") + b"\x03" in answer
    assert device.ask(b"/load").endswith(b"\x04> ") and b"! " in device.ask(b"/load")


def test_bench_shows_the_waits():
    answer = StreamedDevice().ask(b"/bench")
    lines = answer.split(b"\r\n")
    assert lines[1].startswith(b"# wall clock ")
    share = float(lines[2].removeprefix(b"# waited for the memory in ").split(b" ")[0])
    assert lines[2].endswith(b" % of the cycles") and 0 < share < 100
    stalls, cycles = (
        simulated_registers().read(register(f"{name}_LOW", STREAMED_REGISTERS).offset)
        for name in ("STALLS", "CYCLES")
    )
    assert share == int(1000 * stalls / cycles) / 10
    assert lines[3].startswith(b"# prompt 1 tokens, text 24 tokens, ")


def test_what_a_cache_has_kept_is_written_to_the_memory_first():
    for first, last in ((0, 64), (HEADER_BYTES - 32, HEADER_BYTES + 256), (20_000, 20_032)):
        device = StreamedDevice(before=lambda m, a=first, b=last: m.keep_in_cache(a, b))
        assert device.generates()


@pytest.mark.parametrize("port", range(MEMORY.ports))
def test_a_port_that_the_boot_code_left_at_32_bits(port):
    device = StreamedDevice(before=lambda memory: memory.set_width(port, narrow=True))
    assert not simulated_registers().memory.narrow
    assert device.generates()


@pytest.mark.parametrize("port", range(MEMORY.ports))
def test_a_port_that_stays_at_32_bits(port):
    device = StreamedDevice(
        before=lambda memory: memory.set_width(port, narrow=True),
        change=lambda emulator: emulator.memory_ports.stuck.add(port),
    )
    assert refusal(device) == (
        b"a port to the memory is at 32 bits: AFI_RDCHAN_CTRL reads 00000001, expected 00000000"
        + RESET
    )


def test_a_port_without_a_clock_is_not_touched():
    """That would stop the processor for ever; the emulation knows."""
    ports = StreamedDevice().emulator.memory_ports
    for number in set(range(4)) - set(HP_PORTS[MEMORY.ports]):
        with pytest.raises(StuckBus, match=f"S_AXI_HP{number}, which has no clock"):
            ports.read(number * AFI_STEP)
    assert ports.read(0) == 0 and AFI_ADDRESS == 0xF800_8000


@pytest.mark.parametrize(
    "response, meaning",
    [
        (Response.SLVERR, b"SLVERR: it refused an access"),
        (Response.DECERR, b"DECERR: there is none at an address"),
    ],
)
def test_errors_of_the_memory(response, meaning):
    line = b"the memory answered " + meaning
    at = HEADER_BYTES + len(image()) // 2
    device = StreamedDevice(before=lambda memory: memory.refuse(at, at, response))
    assert refusal(device) == line + COPY
    # it was the memory's, not the image's: once it answers, all is well
    memory = simulated_registers().memory
    memory.refuse(0, 0, Response.OKAY)
    assert device.ask(b"/info").startswith(b"/info\r\n# model small")
    assert device.generates()
    stripe = MEMORY.stripe_bytes
    for first in (program().first_fixed, program().first_cache):
        place = HEADER_BYTES + first * stripe
        memory.refuse(place, place + stripe - 1, response)
        again = b"! " + line + b"; try again, or reset the board\r\n\x04> "
        assert device.ask(b"the cat").endswith(b"\x03\r\n" + again)
        assert device.ask(b"/bench").endswith(again)
        memory.refuse(0, 0, Response.OKAY)
        assert device.generates()


def test_a_run_after_one_that_was_stopped_in_a_burst():
    device = StreamedDevice()
    for setting in (b"/tokens 20", b"/temperature 0"):
        device.ask(setting)
    for wait in (1, 5, 23):
        device.emulator.uart.arrive(b"the cat\r" + b"." * wait + b"\x03")
        assert b"end: stopped" in device.emulator.run()
        assert device.generates()
        device.ask(b"/tokens 20")


class EndlessRegisters(RegisterAccess):
    """Of a core that reads its image for ever."""

    name = "the simulation"

    def __init__(self):
        self.memory = simulated_registers().memory

    def read(self, offset):
        word = simulated_registers().read(offset)
        return word | (offset == register("IMAGE_STATUS", STREAMED_REGISTERS).offset)

    def write(self, offset, value):
        simulated_registers().write(offset, value)

    def reset(self):
        simulated_registers().reset()


def test_a_core_that_does_not_end_reading():
    def slow(emulator):
        emulator.access_ns = 1e6  # so that few accesses take two seconds

    device = StreamedDevice(change=slow, registers=EndlessRegisters())
    assert device.welcome == b"\r\n! the core does not end reading weights.bin" + RESET + b"\x04> "
    assert StreamedDevice().generates()


def test_a_processor_that_begins_while_the_core_runs():
    """The image is replaced under a run, as a processor that starts again does; the firmware's
    reset of the fabric comes in the middle of bursts."""
    registers = simulated_registers()

    def write(name, **fields):
        entry = register(name, STREAMED_REGISTERS)
        registers.write(entry.offset, entry.pack(**fields))

    for cycles in (3, 100, 377):
        assert StreamedDevice().generates()
        write("PROMPT", token=1)
        write("GENERATE_COUNT", value=20)
        write("CONTROL", start=1)
        registers.run(cycles)
        assert registers.busy
        assert StreamedDevice().generates()
        damaged = bytearray(weights())
        damaged[-1] ^= 1
        assert b"is damaged: its checksum" in StreamedDevice(damaged).welcome


def test_a_reset_of_the_fabric_makes_it_verify_again():
    device = StreamedDevice()
    registers = simulated_registers()
    registers.reset()
    registers.memory.write(HEADER_BYTES + 100, b"\xff\x00")
    assert device.ask(b"the cat").endswith(
        b"! weights.bin is damaged: its checksum is not the accelerator's" + COPY + b"\x04> "
    )
    registers.memory.write(0, weights())
    assert device.generates()
