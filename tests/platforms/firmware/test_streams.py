"""The firmware of an accelerator with two streams, emulated: /bench is of one and of both."""

import re

import pytest

from gateformer.gateware.host.registers import register
from gateformer.gateware.host.streamed_registers import STREAM_BYTES, STREAMED_REGISTERS
from gateformer.gateware.memory.bus import Response
from gateformer.platforms.console.bench import run_bench
from gateformer.platforms.console.client import ConsoleClient
from gateformer.platforms.console.emulated_console import EmulatedLink
from gateformer.platforms.host.image_file import HEADER_BYTES
from gateformer.platforms.host.register_access import RegisterAccess
from tests.support.imported.small_streamed import MEMORY, program, simulated_registers

from .streamed_bench import StreamedDevice, weights

TOGETHER = re.compile(
    rb"# all 2 streams: text (\d+) tokens, (\d+) cycles, wall clock (\d+) us, "
    rb"waited for the memory in (\d+\.\d) % of the cycles"
)


def device(**options) -> StreamedDevice:
    return StreamedDevice(streams=2, **options)


def place(stream: int, name: str):
    entry = register(name, STREAMED_REGISTERS)
    return entry, stream * STREAM_BYTES + entry.offset


def is_busy(stream: int) -> bool:
    entry, offset = place(stream, "STATUS")
    return bool(entry.unpack(simulated_registers(2).read(offset))["busy"])


def start(stream: int, count: int) -> None:
    for name, fields in (
        ("PROMPT", {"token": 3}),
        ("GENERATE_COUNT", {"value": count}),
        ("CONTROL", {"start": 1}),
    ):
        entry, offset = place(stream, name)
        simulated_registers(2).write(offset, entry.pack(**fields))


def test_it_generates_and_says_how_many_streams_there_are():
    found = device()
    assert found.generates()
    assert b" MHz, streams 2\r\n" in found.ask(b"/info")
    assert b"streams" not in StreamedDevice().ask(b"/info")


def test_bench_is_of_one_stream_and_of_all():
    found = device()
    lines = found.ask(b"/bench").split(b"\r\n")
    assert [line[:12] for line in lines[1:3]] == [b"# wall clock", b"# waited for"]
    tokens, cycles, microseconds, share = TOGETHER.fullmatch(lines[3]).groups()
    counts = re.fullmatch(
        rb"# prompt 1 tokens, text 24 tokens, (\d+) cycles, 0 waiting, end: context", lines[4]
    )
    alone = int(counts[1])
    assert int(tokens) == 48
    assert alone < int(cycles) < 1.6 * alone  # one pass over the weights serves both
    assert int(microseconds) >= int(cycles) // 125
    assert 0 < float(share) < 100
    assert not is_busy(0) and not is_busy(1)
    assert found.generates()


def test_bench_of_one_stream_says_nothing_of_others():
    assert b"# all " not in StreamedDevice().ask(b"/bench")


def test_bench_that_is_stopped():
    """At any time: with the first stream, or with both."""
    found = device()
    # bytes of the line until Ctrl-C, of which a run takes some 800
    for wait, alone in ((3, True), (300, True), (1100, False), (1400, False)):
        found.emulator.uart.arrive(b"/bench\r" + b"." * wait + b"\x03")
        answer = found.emulator.run()
        assert b"end: stopped" in answer and b"# all " not in answer
        assert (b"# wall clock" not in answer) == alone
        assert not is_busy(0) and not is_busy(1)
    assert found.generates()


def test_the_console_s_program():
    client = ConsoleClient(EmulatedLink(device().emulator))
    client.synchronize()
    table, _ = run_bench(client, lambda: False)
    assert [column.header for column in table.columns] == [
        *("", "no text sent", "all 2 streams, no text sent", "text sent")
    ]
    rows = dict(zip(*(list(table.columns[i].cells) for i in (0, 2)), strict=True))
    assert rows["prompt, tokens"] == "2" and rows["generated, tokens"] == "48"
    names, *values = (list(column.cells) for column in table.columns)
    alone, together, _ = (
        float(cells[names.index("core, cycles per token")].replace(",", "")) for cells in values
    )
    assert together < 0.8 * alone


def test_an_error_of_the_memory_while_all_generate():
    """It stops all of them, and is forgotten for the next text."""
    memory = simulated_registers(2).memory
    stripe = MEMORY.stripe_bytes
    first = HEADER_BYTES + program(2).first_fixed * stripe

    class Failing(RegisterAccess):
        """The memory fails as soon as the second stream is started."""

        name = "the simulation"

        def __init__(self):
            self.memory = memory

        def read(self, offset):
            return simulated_registers(2).read(offset)

        def write(self, offset, value):
            simulated_registers(2).write(offset, value)
            if offset == place(1, "CONTROL")[1] and value & 1:
                memory.refuse(first, first + stripe - 1, Response.SLVERR)

        def reset(self):
            simulated_registers(2).reset()

    found = device(registers=Failing())
    assert found.ask(b"/bench").endswith(
        b"! the memory answered SLVERR: it refused an access; try again, or reset the board\r\n"
        b"\x04> "
    )
    assert not is_busy(0) and not is_busy(1)
    memory.refuse(0, 0, Response.OKAY)
    assert found.generates()


def test_a_stream_that_no_longer_answers():
    class Deaf(RegisterAccess):
        """The second stream never starts, and its registers say that it is busy."""

        name = "the simulation"

        def __init__(self):
            self.memory = simulated_registers(2).memory

        def read(self, offset):
            word = simulated_registers(2).read(offset)
            return 1 if offset == place(1, "STATUS")[1] else word

        def write(self, offset, value):
            if offset != place(1, "CONTROL")[1] or value & 2:
                simulated_registers(2).write(offset, value)

        def reset(self):
            simulated_registers(2).reset()

    def slow(emulator):
        emulator.access_ns = 1e5  # so that few accesses take two seconds

    found = device(registers=Deaf(), change=slow)
    assert found.ask(b"/bench").endswith(b"! the core does not answer; reset the board\r\n\x04> ")


@pytest.mark.parametrize("token", [0, 2**16 - 1])
def test_a_stream_that_never_ends(token):
    """It has tokens for ever, none of which is the last one, or one of no vocabulary."""

    class Endless(RegisterAccess):
        name = "the simulation"

        def __init__(self):
            self.memory = simulated_registers(2).memory

        def read(self, offset):
            entry, own = place(1, "OUTPUT")
            if offset == own:
                return entry.pack(valid=1, token=token)
            return simulated_registers(2).read(offset)

        def write(self, offset, value):
            simulated_registers(2).write(offset, value)

        def reset(self):
            simulated_registers(2).reset()

    found = device(registers=Endless())
    assert found.ask(b"/bench").endswith(b"! the core does not answer; reset the board\r\n\x04> ")
    assert not is_busy(0) and not is_busy(1)


def test_a_processor_that_begins_while_both_streams_run():
    registers = simulated_registers(2)
    for cycles in (3, 377):
        assert device().generates()
        for stream in range(2):
            start(stream, 20)
        registers.run(cycles)
        assert is_busy(0) and is_busy(1)
        assert device().generates()


def test_firmware_of_another_number_of_streams():
    """Two streams need more memory than one: the file does not fit, or the number does not."""
    simulated_registers(2).reset()
    simulated_registers(2).memory.write(0, weights())
    one = StreamedDevice(registers=simulated_registers(2))
    assert b"weights.bin is of another size: its bytes" in one.welcome
    two = device(registers=simulated_registers())
    assert b"! STREAMS reads 00000001, expected 00000002; load this firmware's" in two.welcome
